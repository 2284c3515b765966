"""What the shell offers at a press of Tab: names and ids from the settings and the store.

Whoever presses Tab waits, and sees nothing else: all of it is looked up at once, or nothing is offered, and never a
word of why. A supplier chooses what references its orders have, and shells run what stands on their line: only what no
shell reads anything into is offered.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import typer
from typer import core

if TYPE_CHECKING:
    from webhookctl.adapters.candidates_sqlite import SqliteCandidates

Completing: TypeAlias = Callable[[typer.Context, str], list[str]]

_ASKED_BY_SHELL: Final = "_WEBHOOKCTL_COMPLETE"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+/,-]{0,127}", re.ASCII)
"""What bash, zsh and fish take as it stands; a colon, an equals sign or an @ would part the word in bash."""
REPLAYED: Final = ("missing", "failed", "all")
"""The words of `replay`."""
SIGNED: Final = ("as-received", "fresh")
"""The words of its --sign."""
_DEMO: Final = {"store": {"url": "sqlite:webhookctl.db"}, "suppliers": {"demo": {}}}


def is_asked(environ: Mapping[str, str]) -> bool:
    """Say whether a shell asks how to go on."""
    return _ASKED_BY_SHELL in environ


def words(environ: Mapping[str, str]) -> Sequence[str]:
    """Return the finished words after the program's name, where a shell asks how to go on."""
    line = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:] if line.endswith((" ", "\n")) else line.split()[1:-1]


def hurry() -> None:
    """Leave what stands on the line as it is: what typer makes values with takes a third of the time."""
    for kind in (core.TyperOption, core.TyperArgument):
        kind.process_value = _as_it_stands  # type: ignore[method-assign, assignment]  # for this process alone


def _as_it_stands(_parameter: object, _context: object, value: Any) -> Any:  # noqa: ANN401 - click's values
    return value


def _quietly(look: Callable[[typer.Context, str], Iterable[str]]) -> Completing:
    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            found = list(look(context, incomplete))
        except Exception:  # noqa: BLE001 - see the head of this module
            return []
        return [text for text in found if text.startswith(incomplete) and _PLAIN.fullmatch(text)]

    return complete


def _table(context: typer.Context) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the settings and their table as it was written: to check it all takes too long."""
    from webhookctl import settings_file

    named = context.find_root().params.get("config")
    found = settings_file.find(Path(named) if named else None, os.environ, Path.cwd())
    if found is not None:
        return found.absolute().parent, settings_file.parsed(found)
    return Path.cwd(), _DEMO if (Path.cwd() / settings_file.DEMO_MARK).exists() else {}


def _store(folder: Path, table: dict[str, Any]) -> "SqliteCandidates":
    from webhookctl.adapters.candidates_sqlite import SqliteCandidates

    url = os.environ.get("WEBHOOKCTL_STORE__URL") or table["store"]["url"]
    return SqliteCandidates(folder / url.removeprefix("sqlite:"))


def _of_the_store(look: "Callable[[SqliteCandidates, str], list[str]]") -> Completing:
    return _quietly(lambda context, incomplete: look(_store(*_table(context)), incomplete))


def _all_suppliers(context: typer.Context, incomplete: str) -> Iterable[str]:
    folder, table = _table(context)
    yield from sorted(table.get("suppliers", {}))
    try:
        found = _store(folder, table).suppliers(incomplete)
    except Exception:  # noqa: BLE001 - those of the settings are known all the same
        return
    yield from (name for name in found if name not in table.get("suppliers", {}))


def _presets(_context: typer.Context, _incomplete: str) -> Iterable[str]:
    from webhookctl import suppliers as shipped

    return shipped.names()


def _event_types(_context: typer.Context, _incomplete: str) -> Iterable[str]:
    from webhookctl.core.events import EventType

    return [kind.value for kind in EventType]


def _replayable(context: typer.Context, incomplete: str) -> Iterable[str]:
    """Words first: they need no store."""
    return [*REPLAYED, *event_ids(context, incomplete)]


def _signers(context: typer.Context, incomplete: str) -> Iterable[str]:
    return [*SIGNED, *suppliers(context, incomplete), *presets(context, incomplete)]


suppliers: Final = _quietly(_all_suppliers)
presets: Final = _quietly(_presets)
event_types: Final = _quietly(_event_types)
references: Final = _of_the_store(lambda store, begun: store.references(begun))
order_ids: Final = _of_the_store(lambda store, begun: store.order_ids(begun))
event_ids: Final = _of_the_store(lambda store, begun: store.events(begun))
action_ids: Final = _of_the_store(lambda store, begun: store.actions(begun))
rejected_ids: Final = _of_the_store(lambda store, begun: store.rejected(begun))
replayable: Final = _quietly(_replayable)
signers: Final = _quietly(_signers)
