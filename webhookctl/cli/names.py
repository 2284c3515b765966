"""The commands: their names, and the sentence of each, for a shell that completes one and needs no more."""

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "init": "Write settings, key and secrets, and print the lines for systemd, cron, nginx and the supplier's "
    "dashboard.",
    "serve": "Receive webhooks, keep them, and do what they cause. Without settings: a demo on loopback.",
    "work": "Apply stored events and carry out what they cause, beside a `serve --no-worker`.",
    "verify": "Check a delivery's signature; where it does not match, say which mistake explains it.",
    "sign": "Print the headers that a supplier would send with this body, as options of curl.",
    "send": "Play the supplier: sign a sample payload, or a file, and post it to the receiver.",
    "poll": "Ask suppliers about orders that are open for too long; silent when there is nothing to say.",
    "replay": "Handle again what came, in order of arrival; a plan first, and nothing that is done is done twice.",
    "status": "Show how many orders, events and actions there are, and what needs a person first.",
    "doctor": "Look at settings, files, store, secrets, clock, listeners, suppliers and shop; exit code 1 if any must "
    "be fixed.",
    "config": "Show or check the settings.",
    "demo": "Try webhookctl out, against a pretend supplier.",
    "events": "Look at what came.",
    "orders": "Look at orders; make them known; decide.",
    "actions": "Look at deliveries, refunds, alerts; try again.",
    "rejected": "Look at what was rejected; take what verifies now.",
    "store": "Look after the store.",
    "suppliers": "Look at the suppliers that are known.",
}
"""In the order in which --help lists them, and as the --help of each begins; a test compares."""
