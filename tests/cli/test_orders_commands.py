"""Orders made known, held and released, and actions resolved, as an operator does it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.store.building import NOW, claim_actions, order, put, with_code, write
from webhookctl import wiring
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.cli import app
from webhookctl.core.errors import NotFoundError, PersonNeededError, UsageError, WebhookctlError
from webhookctl.core.orders import ActionKind, ActionState, Move, OrderStatus
from webhookctl.core.ports.orders import OrderQuery
from webhookctl.core.ports.outbox import ActionQuery

SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
sla = "15m"
[suppliers.other]
preset = "generic"
secrets = ["env:ACME_SECRET"]
return_window = "24h"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    (tmp_path / "shop.key").write_text("ab" * 32)
    (tmp_path / "shop.key").chmod(0o600)
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    with wiring.store(wiring.settings(tmp_path / "webhookctl.toml"), create=True):
        return tmp_path


@pytest.fixture
def store(shop: Path) -> Iterator[SqliteStore]:
    with wiring.store(wiring.settings(shop / "webhookctl.toml")) as opened:
        yield opened


def run(shop: Path, *words: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["--config", str(shop / "webhookctl.toml"), *words], input=stdin)


def ok(shop: Path, *words: str, stdin: bytes = b"") -> str:
    result = run(shop, *words, stdin=stdin)
    assert result.exit_code == 0, (result.exception, result.stderr)
    return result.stdout


def refused(shop: Path, kind: type[WebhookctlError], *words: str) -> str:
    result = run(shop, *words)
    assert isinstance(result.exception, kind), result.exception
    return str(result.exception)


def test_an_order_is_made_known_once(shop: Path) -> None:
    """Added, shown with what was paid and when it is due; added again, it is the same."""
    words = ("orders", "add", "ORD-1", "-s", "acme", "--order-id", "S-1", "--sku", "a", "--paid", "19.90", "EUR")

    said = [ok(shop, *words), ok(shop, *words)]
    page = json.loads(ok(shop, "orders", "show", "ORD-1", "--json"))

    assert said == ["ORD-1 new\n", "ORD-1 known\n"]
    assert (page["status"], page["order_id"], page["paid"]) == ("pending", "S-1", "19.90 EUR")
    assert (page["learned_by"], [item["sku"] for item in page["items"]]) == ("import", ["a"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ORD-1",), "names no supplier"),
        (("ORD-1", "-s", "nobody"), "There is no supplier 'nobody' in the settings"),
        (("", "-s", "acme"), "the reference is empty"),
        (("x" * 10_000, "-s", "acme"), "10000 characters long"),
        (("ORD-1", "-s", "acme", "--paid", "ten", "EUR"), "digits with a point"),
        (("ORD-1", "-s", "acme", "--sla", "soon"), "the sla must be a duration"),
    ],
)
def test_what_can_not_be_added_is_said(shop: Path, words: tuple[str, ...], told: str) -> None:
    """A wrong word is a usage error with its sentence, and nothing is written."""
    assert told in refused(shop, UsageError, "orders", "add", *words)
    assert ok(shop, "orders", "list", "--json") == "[]\n"


def test_an_order_that_contradicts_needs_a_person(shop: Path) -> None:
    """Held, listed, and exit code 6, whoever adds it."""
    ok(shop, "orders", "add", "ORD-1", "-s", "acme")

    sentence = refused(shop, PersonNeededError, "orders", "add", "ORD-1", "-s", "other")

    assert "another supplier has an order of this reference" in sentence
    assert [row["supplier"] for row in json.loads(ok(shop, "orders", "list", "--held", "--json"))] == ["other"]
    assert PersonNeededError.exit_code == 6


BOM = b"\xef\xbb\xbf"
STRANGE = "\u202eABC\u200b"
CSV = (
    BOM + b"Reference;Supplier;order_id;sku;amount;currency;sla\r\n"
    b"ORD-1;acme;S-1;a|b;19.90;EUR;15m\r\n"
    b";acme;;;;;\r\n"
    b"ORD-2;acme;;;;;\r\n"
    b"\r\n"
    b"ORD-2;acme;;;;;\r\n"
    b"ORD-3;nobody;;;;;\r\n"
    b"=cmd|' /C calc'!A0;acme;;;;;\r\n" + STRANGE.encode() + b";acme;;;;;\r\n"
    b'"two\nlines";acme;;;;;\r\n' + b"x" * 10_240 + b";acme;;;;;\r\n"
    b"ORD-4;acme;;;19,90;EUR;\r\n"
    b"ORD-5;acme;;;;;;;;\r\n"
    b"\xff\xfe;acme;;;;;\r\n"
    b"ORD-6;acme;;;5;;\r\n"
    b"ORD-7;acme;S-7\r\n"
)


def test_a_bad_file_is_imported_as_far_as_it_goes(shop: Path) -> None:
    """BOM, semicolons, CRLF, repeats: what can be read is there, the rest is reported by the line it begins on."""
    (shop / "orders.csv").write_bytes(CSV)

    result = run(shop, "orders", "import", str(shop / "orders.csv"), "--json")
    page = json.loads(result.stdout)

    assert result.exit_code == 1
    assert page["counts"] == {"new": 5, "known": 1, "held": 0, "refused": 8}
    assert {one["line"]: one["why"].split(":")[0] for one in page["refused"]} == {
        3: "the reference is empty",
        7: "there is no supplier 'nobody' in the settings",
        10: "the reference holds control characters, or bytes that are no text",
        12: "the reference is 10240 characters long; the longest we take is 256",
        13: "the amount paid must be digits with a point, such as 19.90, or 0 for an order not paid",
        14: "it has 10 cells, the first row 7",
        15: "the reference holds control characters, or bytes that are no text",
        16: "the currency must be its code in capitals, such as EUR",
    }
    assert all(len(one["reference"]) <= 61 for one in page["refused"])


@pytest.mark.parametrize("more", [2, 20_000])
def test_a_quote_that_is_never_closed_spoils_its_own_line(shop: Path, more: int) -> None:
    """What follows it is imported all the same, however much that is."""
    lines = ["reference,order_id", "Q-1,a", '"Q-2,b', *(f"Q-{number},c" for number in range(3, 3 + more))]
    (shop / "orders.csv").write_text("\n".join(lines))

    page = json.loads(run(shop, "orders", "import", str(shop / "orders.csv"), "--supplier", "acme", "--json").stdout)

    assert page["counts"] == {"new": 1 + more, "known": 0, "held": 0, "refused": 1}
    assert [one["line"] for one in page["refused"]] == [3]


def test_a_file_that_is_no_csv_is_refused_in_words(shop: Path) -> None:
    """Whatever it is."""
    (shop / "orders.csv").write_bytes(b"\x89PNG\r\rreference\n")

    sentence = refused(shop, UsageError, "orders", "import", str(shop / "orders.csv"))

    assert "The first row can't be read" in sentence


def test_what_a_reference_holds_acts_on_nobody(shop: Path) -> None:
    """Shown escaped on a screen; not a formula where the lines of a pipe are opened as a sheet."""
    (shop / "orders.csv").write_bytes(CSV)
    run(shop, "orders", "import", str(shop / "orders.csv"))

    shown = ok(shop, "orders", "list")

    assert "\n'=cmd|' /C calc'!A0\t" in shown
    assert "\\u202eABC\\u200b\t" in shown
    assert "\u202e" not in shown


def test_a_dry_run_writes_nothing(shop: Path) -> None:
    """It says the same as the real one, repeats and all."""
    (shop / "orders.csv").write_bytes(CSV)

    dry = json.loads(run(shop, "orders", "import", str(shop / "orders.csv"), "--dry-run", "--json").stdout)
    empty = ok(shop, "orders", "list", "--json")
    real = json.loads(run(shop, "orders", "import", str(shop / "orders.csv"), "--json").stdout)

    assert (dry["counts"], empty) == (real["counts"], "[]\n")


def test_json_lines_come_from_standard_input(shop: Path) -> None:
    """Numbers keep their digits; a line that is no order is refused, the others are imported."""
    lines = [
        '{"reference": "ORD-1", "paid": {"amount": 19.90, "currency": "EUR"}, "sku": ["a"]}',
        "",
        '{"reference": "ORD-2", "oder_id": "S"}',
        '{"reference": "ORD-3", "reference": "ORD-4"}',
        "[1]",
        "{",
        '{"reference": 12345}',
        '{"reference": "ORD-5", "paid": NaN}',
        "[" * 100_000,
    ]

    result = run(
        shop, "orders", "import", "-", "--format", "jsonl", "-s", "acme", "--json", stdin="\n".join(lines).encode()
    )
    page = json.loads(result.stdout)

    assert page["counts"] == {"new": 2, "known": 0, "held": 0, "refused": 6}
    assert [one["line"] for one in page["refused"]] == [3, 4, 5, 6, 8, 9]
    assert "did you mean 'order_id'?" in page["refused"][0]["why"]
    assert json.loads(ok(shop, "orders", "show", "ORD-1", "--json"))["paid"] == "19.90 EUR"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The first row must name the columns"),
        (b"ORD-1,acme\n", "The first row must name the columns"),
        (b"reference,oder_id\n", "did you mean order_id?"),
        (b"reference,reference\n", "twice"),
        ("reference\nORD-1\n".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(shop: Path, content: bytes, told: str) -> None:
    """Where the columns are not named nothing can be guessed."""
    (shop / "orders.csv").write_bytes(content)

    assert told in refused(shop, UsageError, "orders", "import", str(shop / "orders.csv"))


def test_a_file_that_is_not_there_is_said(shop: Path) -> None:
    """And so is a name that does not tell what is in it."""
    assert "can't be read" in refused(shop, UsageError, "orders", "import", "missing.csv")
    assert "--format" in refused(shop, UsageError, "orders", "import", "orders.xls")


def test_a_held_order_needs_a_person_and_goes_on(shop: Path, store: SqliteStore) -> None:
    """Held by hand, listed, released: its story says who and why."""
    write(store, Move(with_code(order(), "SECRET-CODE-1234")))
    put(store)

    ok(shop, "orders", "hold", "ORD-1", "--reason", "looks like fraud")
    held = store.outbox.find(ActionQuery(state=ActionState.HELD))
    status = run(shop, "status", "--json")
    ok(shop, "orders", "release", "ORD-1", "--reason", "it is not")
    ok(shop, "status")
    shown = ok(shop, "orders", "show", "ORD-1")

    assert len(held) == 1
    assert status.exit_code == 6
    assert json.loads(status.stdout)["needs_a_person"] == {"orders held": 1, "actions held": 1}
    assert store.outbox.find(ActionQuery())[0].state is ActionState.WAITING
    assert "looks like fraud" in shown
    assert "it is not" in shown
    assert "SECRET-CODE" not in shown


def test_a_hold_that_comes_too_late_says_so(shop: Path, store: SqliteStore) -> None:
    """What is under way is not called back, and the operator hears of it."""
    write(store, Move(with_code(order(), "CODE")))
    put(store)
    claim_actions(store)

    said = run(shop, "orders", "hold", "ORD-1", "--reason", "fraud").stderr

    assert "too late" in said
    assert "deliver running" in said


def test_what_is_not_held_is_not_released(shop: Path, store: SqliteStore) -> None:
    """Nor what nobody knows, nor without saying why."""
    put(store)

    assert "is not held" in refused(shop, UsageError, "orders", "release", "ORD-1", "--reason", "x")
    assert "--reason is empty" in refused(shop, UsageError, "orders", "hold", "ORD-1", "--reason", " ")
    assert "no order" in refused(shop, NotFoundError, "orders", "hold", "ORD-9", "--reason", "x")


def test_an_ambiguous_action_is_resolved(shop: Path, store: SqliteStore) -> None:
    """Found by its state, resolved by a person, once; its story and its own page say by whom."""
    put(store)
    (claimed,) = claim_actions(store)
    store.outbox.begin(claimed.action.id, claimed.claim, now=NOW)
    claim_actions(store, ActionKind.NOTIFY, now=NOW + 60_000)
    found = json.loads(ok(shop, "actions", "list", "--state", "ambiguous", "--json"))
    resolve = ("actions", "resolve", claimed.action.id)

    neither = refused(shop, UsageError, *resolve, "--reason", "asked")
    ok(shop, *resolve, "--delivered", "--reason", "the customer has it")
    again = refused(shop, UsageError, *resolve, "--retry", "--reason", "asked")

    assert [one["id"] for one in found] == [claimed.action.id]
    assert "--delivered or --retry" in neither
    assert "is done: only what is ambiguous" in again
    assert "the customer has it" in ok(shop, "actions", "show", claimed.action.id)
    assert "deliver said to be done by" in ok(shop, "orders", "show", "ORD-1")


def test_the_return_window_is_shown(shop: Path, store: SqliteStore) -> None:
    """Where the supplier's is known, the story says until when it takes the order back."""
    write(store, Move(with_code(order(supplier="other"), "CODE")), Move(with_code(order("ORD-2"), "CODE")))

    known = json.loads(ok(shop, "orders", "show", "ORD-1", "--json"))
    unknown = json.loads(ok(shop, "orders", "show", "ORD-2", "--json"))

    assert known["return_until_at"] == "2026-04-25T03:06:40.000+00:00"
    assert unknown["return_until_at"] is None


def test_overdue_orders_are_shown_first(shop: Path, store: SqliteStore) -> None:
    """Past due and still pending: a person should look."""
    ok(shop, "orders", "add", "ORD-1", "-s", "acme", "--sla", "1ms")
    ok(shop, "orders", "add", "ORD-2", "-s", "acme")

    status = json.loads(ok(shop, "status", "--json"))

    assert status["needs_a_person"] == {"orders overdue": 1}
    assert [one["reference"] for one in json.loads(ok(shop, "orders", "list", "--overdue", "--json"))] == ["ORD-1"]
    assert len(store.orders.find(OrderQuery(status=OrderStatus.PENDING))) == 2
