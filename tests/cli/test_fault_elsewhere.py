"""A fault in another table of the settings keeps nobody from the store: what is there to see, and to decide."""

import pytest

from tests.cli.event_files import Place
from tests.cli.least import SETTINGS
from tests.store.building import NOW, rejection
from webhookctl.core.orders import ActionKind
from webhookctl.core.ports.outbox import ActionQuery
from webhookctl.core.quarantine import Bounds

FAULTS = {
    "serve": '[serve]\nlisten = "nowhere"\n',
    "actions": '[actions.deliver]\nhtpp = "http://127.0.0.1:1/"\n',
    "another supplier": '[suppliers.zendit]\npreste = "zendit"\n',
}


@pytest.fixture(params=FAULTS)
def faulty(place: Place, request: pytest.FixtureRequest) -> Place:
    place.store.quarantine.keep([rejection(1)], Bounds(), now=NOW)
    (place.folder / "webhookctl.toml").write_text(SETTINGS + FAULTS[request.param])
    return place


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("status", "fulfilled"),
        ("events list", "ORD-1"),
        ("events show 4", "ORD-0"),
        ("orders list", "ORD-1"),
        ("orders show ORD-1", "ORD-1"),
        ("orders reveal ORD-1 --reason audit", "CODE-1"),
        ("actions list", "deliver"),
        ("actions show ID", "ORD-1"),
        ("rejected list", "mismatch"),
        ("rejected show 1", "mismatch"),
        ("store stats", "events"),
        ("store check", "whole"),
        ("actions retry ID", "is due now"),
        ("orders hold ORD-1 --reason wait", "is held"),
    ],
)
def test_what_the_store_can_tell_is_told(faulty: Place, words: str, shown: str) -> None:
    """Whoever has just broken the settings needs it most."""
    (action,) = faulty.store.outbox.find(ActionQuery(reference="ORD-1", kind=ActionKind.DELIVER))

    done = faulty.webhookctl(*(action.id if word == "ID" else word for word in words.split()))

    assert done.exception is None or done.exit_code == 6
    assert shown in done.output
