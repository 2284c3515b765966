"""Does somebody receive, work and ask, now and after the next start of the machine?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhookctl.core.checkup import Area, Finding, Starting, ok, warning
from webhookctl.core.orders import ActionKind
from webhookctl.flows.doctor.clock import span

_AREA: Final = Area.WORK
_ACTIONS: Final = Area.ACTIONS
BEAT_MS: Final = 120_000
"""Four times as long as `serve` and `work` leave between two signs of life."""
_SERVE: Final = "`systemctl start webhookctl`, or `webhookctl serve`."


@dataclass(frozen=True, slots=True)
class Running:
    """What can be seen of a `serve` that runs."""

    address: str
    listens: bool
    last_beat: int | None
    now: int

    @property
    def beats(self) -> bool:
        return self.last_beat is not None and self.now - self.last_beat < BEAT_MS


def of_running(running: Running) -> Finding:
    """Judge whether somebody serves now."""
    match running.listens, running.beats:
        case True, True:
            return ok(_AREA, "serve", f"Somebody listens on {running.address}, and the work goes on.")
        case True, False:
            said = f"Somebody listens on {running.address}, but nobody works{_since(running)}."
            do = "Start `webhookctl work` beside a `serve --no-worker`; or is that another program, at our port?"
            return warning(_AREA, "serve", said, do)
        case False, True:
            said = f"The work goes on, but nobody listens on {running.address}."
            return warning(_AREA, "serve", said, f"Unless another machine receives: {_SERVE}")
        case _:
            return warning(_AREA, "serve", f"Nobody serves now{_since(running)}.", f"Start it: {_SERVE}")


def _since(running: Running) -> str:
    return "" if running.last_beat is None else f", for {span(running.now - running.last_beat)}"


def of_starting(starting: Starting, poll_every: int | None, asked: Sequence[str]) -> Iterator[Finding]:
    """Judge what starts by itself; `asked` are the suppliers that can be asked about orders."""
    unseen = f" ({', '.join(starting.unreadable)} can't be read by this user.)" if starting.unreadable else ""
    if starting.serve:
        yield ok(_AREA, "start", f"{', '.join(starting.serve)} starts `serve`.")
    else:
        said = f"Nothing was found that starts `serve` with the machine.{unseen}"
        yield warning(
            _AREA, "start", said, "`webhookctl init` prints the unit for systemd; or leave it to what you use."
        )
    if not asked:
        yield ok(_AREA, "poll", "No supplier can be asked about orders, so nobody needs to.")
    elif poll_every is not None:
        yield ok(_AREA, "poll", f"`serve` asks {', '.join(asked)} every {span(poll_every)}.")
    elif starting.poll:
        yield ok(_AREA, "poll", f"{', '.join(starting.poll)} starts `poll`.")
    else:
        said = f"Nobody asks {', '.join(asked)} about orders whose webhooks got lost.{unseen}"
        yield warning(
            _AREA, "poll", said, 'Set [serve] poll_every = "5m", or put `webhookctl poll` into cron or a timer.'
        )


def of_kinds(handled: Collection[ActionKind], waiting: Mapping[str, int]) -> Iterator[Finding]:
    """Name the kinds of action that nobody carries out."""
    unhandled = [kind for kind in ActionKind if kind not in handled]
    for kind in unhandled:
        if count := waiting.get(kind.value, 0):
            said = f"{count} {'waits' if count == 1 else 'wait'} for a handler: nobody carries out `{kind}`."
            yield warning(_ACTIONS, f"actions.{kind}", said, f"Set [actions.{kind}].")
    if idle := [kind.value for kind in unhandled if not waiting.get(kind.value)]:
        said = f"Nobody carries out {', '.join(idle)}; nothing waits for that so far."
        yield warning(_ACTIONS, "handlers", said, "Set [actions.*] for what your shop wants done: the rest waits.")
    if not unhandled:
        yield ok(_ACTIONS, "handlers", "Every kind of action has a handler.")
