"""verify of what the store holds, by the settings: events, and what was rejected."""

import base64
import hmac
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from webhookctl import cli, config, wiring
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import Reason
from webhookctl.core.quarantine import Bounds, Rejection

SECRET, OTHER = "acme-secret-0123456789", "other-secret-0123456789"
ARRIVED = 1_750_000_000_000
BODY = b'{"event": "order.created"}'
SETTINGS = """
[store]
url = "sqlite:webhookctl.db"
keys = ["file:webhookctl.key"]
[suppliers.acme]
preset = "slack"
secrets = ["env:ACME_SECRET"]
[suppliers.other]
preset = "github"
secrets = ["env:OTHER_SECRET"]
allow_ips = ["198.51.100.0/24"]
[suppliers.silent]
preset = "giftbills"
path_secret = "env:OTHER_SECRET"
"""

BARRED = (
    "It came from 203.0.113.7, which is not in allow_ips: add it if the supplier sends from there, or see to it that "
    "trusted_proxies names your proxies."
)

Run = Callable[..., tuple[int, str, str]]


def delivery(secret: str, body: bytes = BODY, signed: bytes = BODY) -> Delivery:
    time = str(ARRIVED // 1000).encode()
    value = hmac.digest(secret.encode(), b"v0:" + time + b":" + signed, "sha256").hex().encode()
    headers = ((b"x-slack-request-timestamp", time), (b"x-slack-signature", b"v0=" + value))
    return Delivery("acme", body, headers, ARRIVED, bytes(16))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line beside a store that holds an event and two rejections."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_SECRET", SECRET)
    monkeypatch.setenv("OTHER_SECRET", OTHER)
    config.write_new(tmp_path / "webhookctl.key", config.new_key())
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    with wiring.store(wiring.settings(None), create=True) as store:
        store.intake.accept([Verified(delivery(SECRET), "env:ACME_SECRET")])
        rejections = [
            Rejection(received._replace(delivery_id=bytes([number]) * 16), "203.0.113.7", Reason.MISMATCH, "…")
            for number, received in enumerate([delivery(OTHER), delivery(SECRET, BODY + b"\n")], 1)
        ]
        store.quarantine.keep(rejections, Bounds(), now=ARRIVED)

    def typed(*arguments: str) -> tuple[int, str, str]:
        command = () if arguments[:1] == ("events",) else ("verify",)
        monkeypatch.setattr("sys.argv", ["webhookctl", *command, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert SECRET not in captured.out + captured.err
        return ended.value.code, captured.out, captured.err

    return typed


def test_a_stored_event(run: Run) -> None:
    """The bytes that came are judged by the settings of now, and by the time of their arrival."""
    code, shown, _ = run("--event", "1")

    assert code == 0
    assert shown == "Valid: event 1, by acme, signed with env:ACME_SECRET, 0 s old.\n"
    assert run("--event", "1", "--at", "1750009000")[1].startswith("Invalid (too_old): event 1")
    assert run("--event", "1", "--at", "1750009000", "--tolerance", "0")[0] == 0
    assert " 158760000 s in the future, and 300 s are allowed" in run("--event", "1", "--at", "1591240000")[1]
    assert run("--event", "99")[0] == 1


def test_what_was_rejected(run: Run) -> None:
    """A rejection is explained: here another supplier's secret was used."""
    code, shown, _ = run("--rejected", "1")

    assert code == 1
    assert "it was signed with another secret that we have: env:OTHER_SECRET" in shown
    assert run("--rejected", "1", "--secret-env", "OTHER_SECRET")[0] == 0
    assert run("--rejected", "99")[0] == 1


def test_all_that_was_rejected(run: Run) -> None:
    """Each on a line with its mistake; --json has an object for each."""
    code, shown, _ = run("--all-rejected")
    lines = run("--all-rejected", "--json")[1].splitlines()

    assert code == 1
    assert shown.splitlines()[0] == "delivery\tsupplier\tverdict\twhy"
    assert "rejected 2\tacme\tinvalid: mismatch\tcertain: the body ends in a newline that was not signed" in shown
    assert [json.loads(line)["delivery"] for line in lines] == ["rejected 1", "rejected 2"]
    assert run("--all-rejected", "--since", "1h")[0] == 0


def test_what_was_turned_away_for_its_address_or_path(run: Run) -> None:
    """It is not called valid: a good signature, or none, says nothing about where it came from."""
    value = b"sha256=" + hmac.digest(OTHER.encode(), BODY, "sha256").hex().encode()
    signed = Delivery("other", BODY, ((b"x-hub-signature-256", value),), ARRIVED, b"3" * 16)
    silent = Delivery("silent", BODY, (), ARRIVED, b"4" * 16)
    with wiring.store(wiring.settings(None)) as store:
        turned_away = [
            Rejection(signed, "203.0.113.7", Reason.NOT_ALLOWED_IP, "…"),
            Rejection(silent, "203.0.113.7", Reason.MISMATCH, "…", b"a-wrong-secret-in-the-path"),
            Rejection(silent._replace(delivery_id=b"5" * 16), "203.0.113.7", Reason.MISMATCH, "…", OTHER.encode()),
        ]
        store.quarantine.keep(turned_away, Bounds(), now=ARRIVED)

    listed = run("--all-rejected")[1].splitlines()

    assert run("--rejected", "3")[:2] == (1, f"Invalid (not_allowed_ip): rejected 3, by other. {BARRED}\n")
    assert run("--rejected", "4")[1].startswith("Invalid (mismatch): rejected 4, by silent. Its path holds another")
    assert run("--rejected", "5")[:2] == (
        0,
        "Valid: rejected 5, by silent, who signs nothing: its path or address let it in.\n",
    )
    assert listed[3] == f"rejected 3\tother\tinvalid: not_allowed_ip\t{BARRED}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--event", "1", "--rejected", "1"), "--event and --rejected exclude one another"),
        (("--event", "1", "--since", "2h"), "--since belongs to --all-rejected"),
        (("--rejected", "1", "-H", "X-Sig: 00"), "--rejected takes the request from the store"),
        (("--event", "1", "--supplier", "other"), "--event knows its supplier"),
        (("--event", "1", "--tolerance", "10m"), "only --tolerance 0 is taken"),
    ],
)
def test_no_option_is_passed_over_in_silence(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """What can't be meant together is refused: the verdict would be about something else."""
    code, _, said = run(*arguments)

    assert code == 2
    assert words in said


def test_by_a_supplier_of_the_settings(run: Run, tmp_path: Path) -> None:
    """--supplier takes scheme and secrets from the settings, and no other supplier is one."""
    (tmp_path / "body.json").write_bytes(BODY)
    value = hmac.digest(OTHER.encode(), BODY, "sha256").hex()
    arguments = ("--body-file", "body.json", "-H", f"X-Hub-Signature-256: sha256={value}", "--supplier")

    assert run(*arguments, "other")[:2] == (0, "Valid: by other, signed with env:OTHER_SECRET, without a timestamp.\n")
    assert run(*arguments, "nobody")[0] == 2


def test_an_event_is_judged_by_the_address_that_it_was_posted_to(run: Run, tmp_path: Path) -> None:
    """The settings may name another one since: what was signed is the one of then."""
    then = "https://old.example/webhooks/acme"
    value = base64.b64encode(hmac.digest(SECRET.encode(), then.encode() + BODY, "sha256"))
    came = Delivery("acme", BODY, ((b"x-square-hmacsha256-signature", value),), ARRIVED, b"6" * 16, url=then)
    moved = SETTINGS.replace('preset = "slack"', 'preset = "square"\nurl = "https://new.example/webhooks/acme"')
    (tmp_path / "webhookctl.toml").write_text(moved)
    with wiring.store(wiring.settings(None)) as store:
        store.intake.accept([Verified(came, "env:ACME_SECRET")])

    assert run("--event", "2")[:2] == (
        0,
        "Valid: event 2, by acme, signed with env:ACME_SECRET, without a timestamp.\n",
    )


def test_an_event_as_it_came_is_a_request_that_verifies(run: Run, tmp_path: Path) -> None:
    """`events show --raw` prints what `verify --request` reads, and who looked stands at the event."""
    refused = run("events", "show", "1", "--raw")
    code, raw, _ = run("events", "show", "1", "--raw", "--reason", "their case")
    (tmp_path / "1.http").write_bytes(raw.encode())
    options = ("--secret-env", "ACME_SECRET", "--at", str(ARRIVED // 1000))
    verified = run("--preset", "slack", "--request", "1.http", *options)

    assert refused == (2, "", "--reason is empty: say why codes must be seen; it is kept with what was looked at.\n")
    assert (code, raw.startswith("POST /webhooks/acme HTTP/1.1\r\n"), raw.endswith("\r\n\r\n" + BODY.decode())) == (
        0,
        True,
        True,
    )
    assert (verified[0], verified[1].startswith("Valid")) == (0, True)
    assert [look["reason"] for look in json.loads(run("events", "show", "1", "--json")[1])["reveals"]] == ["their case"]


def test_bytes_that_nobody_looked_at_come_to_no_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could act on it: they go into a file, or a pipe."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    code, shown, said = run("events", "show", "1", "--raw", "--reason", "their case")

    assert (code, shown) == (2, "")
    assert "write it to a file" in said
