"""`replay` as an operator meets it, where it handles again."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.cli.least import SETTINGS
from tests.replaying.scene import Shop, said
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.cli import app
from webhookctl.core.errors import NotFoundError, UsageError
from webhookctl.core.orders import ActionKind, ActionState, Intervention
from webhookctl.core.ports.outbox import Settlement
from webhookctl.flows import decide

BY = Intervention(1, "ann", "held", "a test")


class Operator:
    """A folder with settings, and a shop's store in it."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.folder, self.shop = folder, shop

    def run(self, *words: str, stdin: str = "") -> Result:
        command = ["--config", str(self.folder / "webhookctl.toml"), "replay", *words]
        return CliRunner().invoke(app, command, input=stdin, env={"KEY": "00" * 32, "ACME": "a secret of the supplier"})

    def fails(self, kind: type[Exception], *words: str) -> str:
        result = self.run(*words)
        assert isinstance(result.exception, kind), result.output
        return str(result.exception)

    def leave_dead(self, count: int) -> None:
        supplier, self.shop.supplier = self.shop.supplier, None
        self.shop.arrive(*(said("fulfilled", f"R{n}") for n in range(count)))
        self.shop.apply()
        self.shop.supplier = supplier


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    tmp_path.chmod(0o700)
    (tmp_path / "webhookctl.toml").write_text(SETTINGS)
    with closing(open_store(tmp_path / "shop.db", AesGcmCipher([bytes(32)]), create=True)) as store:
        yield Operator(tmp_path, Shop(store))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Say what is to be replayed"),
        (["all", "17"], "stands alone"),
        (["mising"], "did you mean missing"),
        (["17", "--since", "2d"], "either ids, or filters"),
        (["webhookctl.toml"], "nothing that can be replayed"),
        (["all", "--reference", "A", "--reference", "B"], "one at a time"),
        (["failed", "--type", "order.failed"], "--supplier, --reference, --since and --until alone"),
        (["all", "--supplier", "acne"], "did you mean acme"),
        (["--redeliver", "--reason", "x"], "named one by one"),
        (["--redeliver", "--reference", "A", "--reason", " "], "--reason is empty"),
        (["--redeliver", "--reference", "A", "--reason", "x"], "no terminal"),
        (["--redeliver", "--reference", "A", "--since", "2d", "--reason", "x"], "leave out events, filters and --to"),
        (["--redeliver", "--reference", "A", "--to", "http://127.0.0.1:9", "--reason", "x"], "filters and --to"),
        (["--reference", "A", "--reason", "x"], "--reason is for --redeliver or --to"),
        (["17", "./gone.json", "--to", "http://127.0.0.1:9", "--reason", "x"], "./gone.json is no file that is there"),
        (["17", __file__, "--to", "http://127.0.0.1:9", "--reason", "x"], "either files, or events"),
        (["all", "--rate", "3/s"], "add --to"),
    ],
)
def test_what_means_nothing_is_refused(operator: Operator, words: list[str], told: str) -> None:
    """In a sentence that says what would mean something."""
    assert told in operator.fails(UsageError, *words)


def test_a_file_needs_a_target(operator: Operator) -> None:
    """It was never received: there is nothing to handle again."""
    (operator.folder / "a.json").write_text("{}")

    assert "add --to URL" in operator.fails(UsageError, str(operator.folder / "a.json"))


def test_an_unknown_id_is_told(operator: Operator) -> None:
    """Nothing is done with those beside it."""
    operator.leave_dead(1)

    assert "no event '99'" in operator.fails(NotFoundError, "1", "99")
    assert operator.shop.states() == ["dead"]


def test_a_dry_run_shows_the_plan_and_stops(operator: Operator) -> None:
    """Counts and the time they span, for whoever reads it through a pipe too; nothing is changed."""
    operator.leave_dead(3)

    result = operator.run("missing", "--dry-run")

    assert "would apply\t3" in result.stdout
    assert "would deliver\t3" in result.stdout
    assert "3 events, from 20" in result.stdout
    assert not result.stderr
    assert operator.shop.states() == ["dead"] * 3


def test_more_than_ten_are_asked_about(operator: Operator) -> None:
    """Without a terminal to ask on it is refused, and --yes says that it is meant."""
    operator.leave_dead(11)

    assert "That is 11" in operator.fails(UsageError, "missing")
    assert operator.shop.states() == ["dead"] * 11
    result = operator.run("missing", "--yes")

    assert result.exit_code == 0
    assert "applied\t11" in result.stdout
    assert operator.shop.states() == ["done"] * 11


def test_a_program_reads_plan_and_outcome(operator: Operator) -> None:
    """One object, and nothing else on stdout."""
    operator.leave_dead(2)

    page = json.loads(operator.run("all", "--json").stdout)

    assert (page["dry_run"], page["plan"]["events"]) == (False, 2)
    assert page["plan"] == page["done"]
    assert page["done"]["counts"] == {
        "apply": 2,
        "already_applied": 0,
        "deliver": 2,
        "already_delivered": 0,
        "alert": 0,
    }


def test_ids_are_handled_in_order_of_arrival_once_each(operator: Operator) -> None:
    """Whatever order they are given in, and however often."""
    operator.leave_dead(2)

    page = json.loads(operator.run("2", "1", "2", "--json").stdout)

    assert page["done"]["events"] == 2


def test_what_stays_dead_is_no(operator: Operator) -> None:
    """Exit code 1: the answer is that not all could be handled."""
    operator.shop.arrive(b"no JSON")

    assert operator.run("missing").exit_code == 1
    assert operator.shop.states() == ["dead"]


def test_what_stopped_the_worker_is_handled_where_it_is_named(operator: Operator) -> None:
    """Each run would come no further than that: without it all others are handled."""
    operator.shop.arrive(said("fulfilled", "KILLER"))
    for time_ in range(1, 8):
        operator.shop.store.events.claim(now=operator.shop.now + time_ * 60_000, limit=10, lease_ms=60_000)
    operator.shop.arrive(said("fulfilled", "R0"))
    others = operator.run("missing")
    statuses = operator.shop.statuses()
    alone = operator.run("1")

    assert (others.exit_code, alone.exit_code) == (0, 0)
    assert "Left out: 1 of which each seemed to stop the worker that handled it (1)" in others.stderr
    assert statuses == {"R0": "fulfilled"}
    assert operator.shop.statuses() == {"R0": "fulfilled", "KILLER": "fulfilled"}


def test_what_is_newly_held_needs_a_person(operator: Operator) -> None:
    """Exit code 6, as `work --once` has it."""
    operator.shop.arrive(said("failed", "R1"), said("fulfilled", "R1"))

    result = operator.run("missing")

    assert result.exit_code == 6
    assert "A person is needed" in result.stderr


def test_dead_actions_are_tried_again_under_their_ids(operator: Operator) -> None:
    """`failed`: those of the filters, with who wanted it in the order's story."""
    shop = operator.shop
    shop.arrive(said("fulfilled", "R1"), said("fulfilled", "R2"))
    shop.apply()
    claimed = shop.store.outbox.claim([ActionKind.DELIVER], now=shop.now, limit=9, lease_ms=60_000)
    dead = [Settlement(one.action.id, one.claim, ActionState.DEAD, "410") for one in claimed]
    shop.store.outbox.settle(dead, now=shop.now)
    ids = {action.id for action in shop.actions()}

    plan = json.loads(operator.run("failed", "--dry-run", "--json").stdout)
    one = json.loads(operator.run("failed", "--reference", "R1", "--json").stdout)

    assert (plan["dead"], plan["due_again"]) == ({"deliver": 2}, {})
    assert one["due_again"] == {"deliver": 1}
    assert sorted((action.subject, action.state.value) for action in shop.actions()) == [
        ("R1", "waiting"),
        ("R2", "dead"),
    ]
    operator.run("failed")
    assert {action.state for action in shop.actions()} == {ActionState.WAITING}
    assert {action.id for action in shop.actions()} == ids
    story = shop.store.orders.story("acme", "R1")
    assert story is not None
    assert [done.what for done in story.interventions] == ["tried again"]


def delivered(operator: Operator, *references: str) -> None:
    operator.shop.arrive(*(said("fulfilled", one) for one in references))
    operator.shop.apply()
    operator.shop.deliver()


def redeliver(operator: Operator, *references: str) -> Result:
    named = [word for one in references for word in ("--reference", one)]
    return operator.run("--redeliver", *named, "--reason", "the database was lost", "--yes", "--json")


def test_a_named_order_is_delivered_once_more_under_a_new_id(operator: Operator) -> None:
    """A new generation, whose webhook-id the shop has not seen; the story says who wanted it and why."""
    delivered(operator, "R1", "R2", "R3")
    (first,) = operator.shop.actions(reference="R1")

    page = json.loads(redeliver(operator, "R1", "R2").stdout)

    assert [(row["reference"], row["generation"]) for row in page["orders"]] == [("R1", 2), ("R2", 2)]
    second, before = operator.shop.actions(reference="R1")
    assert (before, second.id) == (first, page["orders"][0]["webhook_id"])
    assert (second.generation, second.state) == (2, ActionState.WAITING)
    assert len(operator.shop.actions(reference="R3")) == 1
    story = operator.shop.store.orders.story("acme", "R1")
    assert story is not None
    assert [(done.what, done.reason) for done in story.interventions] == [
        ("delivered once more, as generation 2,", "the database was lost")
    ]
    shown = CliRunner().invoke(
        app, ["--config", str(operator.folder / "webhookctl.toml"), "orders", "show", "R1"], env={"KEY": "00" * 32}
    )
    assert "deliver (generation 2) asked for: waiting" in shown.stdout


def test_what_would_be_delivered_once_more_is_a_result(operator: Operator) -> None:
    """A dry run says it where a pipe hears it, and so does the run which webhook-id it became."""
    delivered(operator, "R1")
    words = ("--redeliver", "--reference", "R1", "--reason", "lost")

    dry, done = operator.run(*words, "--dry-run"), operator.run(*words, "--yes")

    assert dry.stdout.startswith("This would deliver order R1 of acme once more, as generation 2.")
    assert operator.shop.actions(reference="R1")[0].id in done.stdout


def test_replaying_everything_delivers_no_generation_again(operator: Operator) -> None:
    """What a person had delivered once more is no reason for a third time, nor is what came for a second."""
    delivered(operator, "R1")
    redeliver(operator, "R1")

    page = json.loads(operator.run("all", "--json").stdout)

    assert page["plan"]["counts"]["already_delivered"] == 1
    assert len(operator.shop.actions()) == 2


def test_what_must_not_go_out_is_not_delivered_once_more(operator: Operator) -> None:
    """Refunded, held, still under way, given up, never delivered: each with what to do, and the others left alone."""
    shop = operator.shop
    delivered(operator, "GOOD", "REFUNDED", "HELD")
    shop.arrive(said("refunded", "REFUNDED"), said("created", "NEW"), said("fulfilled", "WAITS"))
    shop.apply()
    decide.hold_order(shop.store.orders, ("acme", "HELD"), BY)
    reasons = {
        "REFUNDED": "never delivered",
        "HELD": "orders release",
        "NEW": "was never delivered",
        "WAITS": "goes out by itself",
    }
    for reference, told in reasons.items():
        result = redeliver(operator, "GOOD", reference)

        assert isinstance(result.exception, UsageError)
        assert told in str(result.exception)
    assert isinstance(redeliver(operator, "NOBODY").exception, NotFoundError)
    assert len(shop.actions(reference="GOOD")) == 1


def test_a_second_time_waits_for_the_first(operator: Operator) -> None:
    """Asked for twice, as by two people: the shop gets one more, not two."""
    delivered(operator, "R1")
    redeliver(operator, "R1")

    assert isinstance(redeliver(operator, "R1").exception, UsageError)
    operator.shop.now = time.time_ns() // 1_000_000
    operator.shop.deliver()
    assert json.loads(redeliver(operator, "R1").stdout)["orders"][0]["generation"] == 3


def test_the_code_was_out_though_its_second_delivery_was_not(operator: Operator) -> None:
    """A refund's alert and a person's choice count the first delivery: the customer would have code and money."""
    delivered(operator, "R1", "R2")
    redeliver(operator, "R1", "R2")
    shop = operator.shop
    decide.hold_order(shop.store.orders, ("acme", "R2"), BY)
    shop.arrive(said("refunded", "R1"))
    shop.apply()

    alert = next(action for action in shop.actions(reference="R1") if action.kind is ActionKind.ALERT)
    assert "The code was out" in alert.detail
    with pytest.raises(UsageError, match="both the code and the money"):
        decide.release_order(shop.store.orders, ("acme", "R2"), BY, refund=True, although_refunded=False)
