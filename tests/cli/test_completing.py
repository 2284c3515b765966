"""What the shell offers at a press of Tab."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer import core

from tests.benchmarks.fill import settle_in
from tests.benchmarks.filling import fill
from webhookctl import suppliers
from webhookctl.cli import app, completing, names
from webhookctl.cli.completing import Completing
from webhookctl.cli.replay import Word
from webhookctl.core.events import EventType

NOW = 1_790_000_000_000
EVENTS, ORDERS = 1_000, 300
HOSTILE = (
    *("$(touch pwned)", "`touch pwned`", "x;touch pwned", "x\ntouch pwned", "x|y", "x&y", "<x", "!!", "~root", "*"),
    *("x y", "x'y", 'x"y', "x\\y", "{a,b}", "#x", "x:y", "-rf", "x\x1b[2J", "x\u202ey", ""),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    fill(folder / "shop.db", EVENTS, ORDERS, ends=NOW)
    settle_in(folder / "shop.db")
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A folder with settings and a filled store of its own."""
    return Path(shutil.copytree(made, tmp_path / "shop"))


def offered(shop: Path, what: Completing, begun: str) -> list[str]:
    command = typer.main.get_command(app)
    with command.make_context("webhookctl", ["--config", str(shop / "shop.toml")], resilient_parsing=True) as context:
        return what(context, begun)  # type: ignore[arg-type]  # typer's own subclass adds nothing


def changed(shop: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(shop / "shop.db")) as raw, raw:
        raw.execute(statement, values)


def test_references_are_offered_newest_first_and_not_too_many(shop: Path) -> None:
    """Those that begin as was begun, fifty at most."""
    with closing(sqlite3.connect(shop / "shop.db")) as raw:
        newest = raw.execute(
            "SELECT reference FROM orders WHERE reference LIKE 'ORD-%' ORDER BY created_at DESC LIMIT 50"
        ).fetchall()

    assert [reference for (reference,) in newest] == offered(shop, completing.references, "ORD-")


def test_an_old_order_is_found_by_its_beginning(shop: Path) -> None:
    """However many came since: an index of the references finds it."""
    rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000) SELECT"
    columns = "orders (supplier, reference, status, created_at, updated_at, version, learned_by)"
    changed(shop, f"INSERT INTO {columns} {rows} 'acme', 'NEW-' || n, 'pending', {NOW} + n, 1, 1, 'webhook' FROM n")

    assert offered(shop, completing.references, "ORD-00000000") == ["ORD-00000000"]


@pytest.mark.parametrize(
    ("what", "begun", "first"),
    [
        (completing.event_ids, "", "1000"),
        (completing.event_ids, "9", "999"),
        (completing.event_ids, "17", "179"),
        (completing.event_ids, "1000", "1000"),
        (completing.event_types, "order.f", EventType.FULFILLED),
        (completing.presets, "kin", "kinguin"),
        (completing.suppliers, "b", "borealis"),
        (completing.replayable, "", "missing"),
        (completing.replayable, "9", "999"),
        (completing.signers, "fr", "fresh"),
        (completing.signers, "bor", "borealis"),
        (completing.signers, "kin", "kinguin"),
    ],
)
def test_each_kind_of_name_is_offered(shop: Path, what: Completing, begun: str, first: str) -> None:
    """Numbers from the largest down; names as they are."""
    found = offered(shop, what, begun)

    assert found[0] == first
    assert all(one.startswith(begun) for one in found)


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        (completing.order_ids, "SELECT order_id FROM orders"),
        (completing.action_ids, "SELECT id FROM actions"),
    ],
)
def test_ids_are_those_of_the_store(shop: Path, what: Completing, statement: str) -> None:
    """What is offered for a beginning is there and begins so."""
    with closing(sqlite3.connect(shop / "shop.db")) as raw:
        known = {name for (name,) in raw.execute(statement)}
    begun = max(known)[:11]

    found = offered(shop, what, begun)

    assert set(found) == {name for name in known if name.startswith(begun)}


def test_suppliers_are_those_of_the_settings_and_those_that_were(shop: Path) -> None:
    """Who is not in the settings any more still has orders."""
    changed(shop, "UPDATE orders SET supplier = 'formerly' WHERE reference = 'ORD-00000001'")
    settings = shop / "shop.toml"
    settings.write_text(settings.read_text().replace("corvus", "daw").replace("CORVUS", "DAW"))

    assert offered(shop, completing.suppliers, "") == ["acme", "borealis", "daw", "corvus", "formerly"]


def test_all_presets_are_offered(shop: Path) -> None:
    """Each is a plain word."""
    assert suppliers.names() == offered(shop, completing.presets, "")


@pytest.mark.parametrize("reference", HOSTILE)
def test_what_a_shell_could_read_something_into_is_never_offered(shop: Path, reference: str) -> None:
    """A supplier chooses what its orders are called, and the next key could be Enter."""
    changed(shop, "UPDATE orders SET order_id = ?, created_at = ? WHERE reference = 'ORD-00000001'", reference, NOW * 2)

    found = offered(shop, completing.order_ids, "")

    assert found
    assert not {reference} & set(found)
    assert all(one.replace("-", "").isalnum() for one in found)


@pytest.mark.parametrize("broken", ["no settings", "no TOML", "other TOML", "no store", "another file", "no table"])
def test_nothing_is_offered_and_nothing_said_where_nothing_can_be_read(shop: Path, broken: str) -> None:
    """Whoever presses Tab sees no words of ours in the middle of the line."""
    match broken:
        case "no settings":
            (shop / "shop.toml").unlink()
        case "no TOML":
            (shop / "shop.toml").write_text("[store")
        case "other TOML":
            (shop / "shop.toml").write_text("store = 7\nsuppliers = 7\n")
        case "no store":
            (shop / "shop.db").unlink()
        case "another file":
            (shop / "shop.db").write_bytes(b"no database" * 1000)
        case _:
            changed(shop, "DROP TABLE attempts")
            changed(shop, "DROP TABLE actions")

    assert offered(shop, completing.action_ids, "") == []
    if broken != "no table":
        assert offered(shop, completing.references, "O") == []


def test_suppliers_of_the_settings_need_no_store(shop: Path) -> None:
    """Before the first start there is none."""
    (shop / "shop.db").unlink()

    assert offered(shop, completing.suppliers, "a") == ["acme"]


def test_looking_changes_nothing(shop: Path) -> None:
    """A press of Tab must not migrate, lock or make a store."""
    before = (shop / "shop.db").read_bytes()

    offered(shop, completing.references, "O")
    assert before == (shop / "shop.db").read_bytes()
    (shop / "shop.db").unlink()
    offered(shop, completing.references, "O")
    assert not (shop / "shop.db").exists()


_OF_NEW = {("init", "--supplier"), ("orders add", "REF")}
"""What these name is not there yet."""
_COMPLETED = {"--supplier", "--reference", "--order-id", "--order", "--preset", "--event", "--rejected", "--type"}


def parameters(command: object, name: str = "") -> Iterator[tuple[str, core.TyperOption | core.TyperArgument]]:
    """Go through the parameters of a command and of those in it, each with its command's name."""
    for parameter in getattr(command, "params", []):
        yield name, parameter
    for word, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, f"{name} {word}".strip())


def test_every_parameter_that_names_what_is_there_completes_it() -> None:
    """A new command gets completion as the old ones have it."""
    without = [
        (name, parameter.opts)
        for name, parameter in parameters(typer.main.get_command(app))
        for word in [*parameter.opts, str(parameter.metavar)]
        if (word in _COMPLETED or word in {"REF", "REF...", "ID", "PRESET"})
        and (name, word) not in _OF_NEW
        and parameter._custom_shell_complete is None  # noqa: SLF001 - typer does not say it otherwise
    ]

    # `orders add --order-id` names what is new, too.
    assert without == [("orders add", ["--order-id"])]


def in_bash(shop: Path, *words: str) -> list[str]:
    """Let bash complete the last of `words`, as its own function does it; return what it would show."""
    script = """
        eval "$(_WEBHOOKCTL_COMPLETE=source_bash webhookctl)"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _webhookctl_completion webhookctl
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    # Named as it is installed: the script that the shell reads calls it by this name.
    (shop / "bin").mkdir(exist_ok=True)
    program = shop / "bin" / "webhookctl"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'webhookctl'\nfrom webhookctl.cli import main\nmain()\n"
    )
    program.chmod(0o755)
    done = subprocess.run(  # noqa: S603 - our own words
        ["bash", "--norc", "-c", script, "bash", "webhookctl", "--config", "shop.toml", *words],  # noqa: S607 - any bash
        cwd=shop,
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split("\n")[:-1]


def test_bash_completes_commands_options_and_values(shop: Path) -> None:
    """With the function that `--show-completion` prints."""
    assert in_bash(shop, "ord") == ["orders"]
    assert in_bash(shop, "events", "list", "--sup") == ["--supplier"]
    assert in_bash(shop, "events", "list", "--supplier", "c") == ["corvus"]
    assert in_bash(shop, "events", "list", "--state", "de") == ["dead"]
    assert in_bash(shop, "orders", "show", "ORD-00000000") == ["ORD-00000000"]


def test_what_a_shell_hears_of_the_commands_is_what_help_says() -> None:
    """It hears it before any of them is read: each name, in the same order, and the beginning of its --help."""
    said = {name: " ".join(str(command.help).split("\n\n")[0].split()) for name, command in commands().items()}

    assert list(names.SENTENCES.items()) == list(said.items())


def commands() -> dict[str, core.TyperCommand]:
    root = typer.main.get_command(app)
    assert isinstance(root, core.TyperGroup)
    return root.commands  # type: ignore[return-value]  # typer hides the class of its groups


@pytest.mark.parametrize(("shell", "named"), [("bash", r"(.+)"), ("zsh", r'"(.+)":".+"'), ("fish", r"(.+)\t.+")])
@pytest.mark.parametrize("begun", ["", "s", "--co"])
def test_each_shell_hears_all_names_that_begin_so(shell: str, named: str, begun: str) -> None:
    """Options of the program too; zsh and fish show what each is for."""
    asks = {"COMP_WORDS": f"webhookctl\n{begun}", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": f"webhookctl {begun}"}
    program = "import sys; sys.argv[0] = 'webhookctl'; from webhookctl.cli import main; main()"

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program],
        env=os.environ
        | asks
        | {"_WEBHOOKCTL_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        capture_output=True,
        text=True,
        check=True,
    )

    wanted = ["--config"] if begun == "--co" else [name for name in names.SENTENCES if name.startswith(begun)]
    lines = done.stdout.removeprefix("_arguments '*: :((").replace("))'", "").splitlines()
    assert [match[1] for line in lines if (match := re.fullmatch(named, line))] == wanted


def test_bash_runs_nothing_that_a_supplier_has_written(shop: Path) -> None:
    """Hostile names in the store are neither shown nor carried out, and no file's name comes in by a star."""
    for number, reference in enumerate(HOSTILE):
        changed(shop, "UPDATE orders SET order_id = ? WHERE reference = ?", reference, f"ORD-{number:08}")

    shown = in_bash(shop, "events", "list", "--order-id", "")

    assert shown
    assert not (shop / "pwned").exists()
    assert all(one.replace("-", "").isalnum() for one in shown)


def test_where_all_is_broken_bash_hears_nothing(shop: Path) -> None:
    """Neither words nor an error come to the line."""
    (shop / "shop.toml").write_text("[store")

    assert in_bash(shop, "orders", "show", "O") == [""]


def test_a_locked_store_is_not_waited_for(shop: Path) -> None:
    """Somebody has all of it: nothing is offered."""
    with closing(sqlite3.connect(shop / "shop.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")  # with a WAL nobody could keep us from reading
        other.execute("BEGIN EXCLUSIVE")

        assert in_bash(shop, "orders", "show", "O") == [""]


def test_the_words_are_those_that_replay_knows() -> None:
    """They stand in two places, as completion must not pay for what replays."""
    assert list(completing.REPLAYED) == [word.value for word in Word]
