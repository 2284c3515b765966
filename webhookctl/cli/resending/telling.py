"""What is said of sending elsewhere: a line for each, how far it is, and how it ended."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

import typer

from webhookctl.adapters.target_http import name_of
from webhookctl.cli import output
from webhookctl.cli.resending import Asked
from webhookctl.core.errors import ExitCode, StoreBusyError
from webhookctl.core.ports.replays import Replay, ReplayState, Verdict
from webhookctl.wiring.resending import Ended, Watch

_MANY: Final = 50
"""So many have a line each on a terminal; of more only those that failed, above a bar."""
_COLUMNS: Final = ("verdict", "status", "ms", "detail")
_WIDTHS: Final = (6, 7, 3, 5, 0)
_WORDS: Final[Mapping[ReplayState, str]] = {
    ReplayState.TAKEN: "taken",
    ReplayState.REFUSED: "refused",
    ReplayState.UNSENT: "not sent",
    ReplayState.UNKNOWN: "without an answer, which may have arrived",
}


def events(count: int) -> str:
    """Return the count with its word."""
    return "1 event" if count == 1 else f"{count:,} events"


@dataclass(slots=True)
class _Lines:
    """A line for each verdict, as far as somebody reads them."""

    as_json: bool
    of_files: bool
    only_failed: bool
    advance: Callable[[int], None]
    replay_id: int | None = None

    def begin(self) -> None:
        if not self.as_json and not sys.stdout.isatty():
            output.row([self._what, *_COLUMNS], ())

    @property
    def _what(self) -> str:
        return "file" if self.of_files else "event"

    def began(self, replay_id: int) -> None:
        self.replay_id = replay_id
        output.say(f"This is replay {replay_id}.")

    def verdict(self, verdict: Verdict) -> None:
        if self.as_json:
            output.emit_raw_json(self._page(verdict))
        elif not self.only_failed or verdict.state is not ReplayState.TAKEN:
            status, took = (str(one) if one is not None else "-" for one in (verdict.status, verdict.took_ms))
            output.row([verdict.label, verdict.state.value, status, took, verdict.detail], _WIDTHS)
        sys.stdout.flush()  # whoever reads along waits for no block to fill
        self.advance(1)

    def _page(self, verdict: Verdict) -> dict[str, object]:
        of = {} if self.of_files else {"replay": self.replay_id}
        return of | {
            self._what: verdict.label if self.of_files else verdict.number,
            "verdict": verdict.state.value,
            "status": verdict.status,
            "ms": verdict.took_ms,
            "tries": verdict.tries,
            "detail": verdict.detail,
        }


@contextmanager
def watched(count: int, *, as_json: bool, of_files: bool = False, replay_id: int | None = None) -> Iterator[Watch]:
    """Show what comes of each, and how far all is."""
    has_bar = count > _MANY and output.is_watched()
    with output.paced_progress("Sending", count) if has_bar else nullcontext(_quiet) as advance:
        lines = _Lines(as_json, of_files, has_bar and sys.stdout.isatty(), advance, replay_id)
        lines.begin()
        yield Watch(lines.verdict, lines.began, _say_waiting)


def _quiet(_: int) -> None:
    """Show no bar."""


def _say_waiting(left_ms: int) -> None:
    output.say(f"Another process has this replay. If it lives no more its claim ends in {left_ms / 1000:.0f} s.")


def resumed(replayed: Replay, counts: Mapping[ReplayState, int], left: int, asked: Asked) -> None:
    """Say where a replay stands that is to go on."""
    doubtful = counts.get(ReplayState.SENDING, 0) + counts.get(ReplayState.UNKNOWN, 0)
    page = {
        "replay": replayed.id,
        "taken": counts[ReplayState.TAKEN],
        "left": left,
        "answer_unknown": doubtful,
        "failed": sum(counts.get(one, 0) for one in (ReplayState.REFUSED, ReplayState.UNSENT)),
    }
    if asked.dry_run:
        return output.show_json(page) if asked.as_json else output.page(page)
    output.say(f"Replay {replayed.id}: {counts[ReplayState.TAKEN]:,} taken, {left:,} left.")
    if doubtful and left:
        output.say(f"Of {events(doubtful)} the answer is not known: they may have arrived, and are sent again.")
    return None


def end(ended: Ended, asked: Asked) -> None:
    """Say how it ended, and how it can go on; leaves with the exit code of it."""
    told = [f"{ended.counts[state]:,} {words}" for state, words in _WORDS.items() if state in ended.counts]
    output.say(f"{', '.join(told) or 'Nothing was sent'}; {ended.left:,} left.")
    if ended.taken_over:
        raise StoreBusyError(f"Replay {ended.replay_id} was taken over by another process, which goes on with it.")
    if ended.too_many_failures:
        output.say(f"Stopped after {asked.pace.max_failures} failures (--max-failures).")
    if ended.left and ended.replay_id is not None:
        output.say(f"`webhookctl replay --resume {ended.replay_id}` goes on{_with_the_same(asked)}.")
    if ended.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if ended.failed:
        raise typer.Exit(ExitCode.UPSTREAM)


def _with_the_same(asked: Asked) -> str:
    """Name the options that are not kept."""
    given: dict[str, object] = {
        "--to": asked.to and "…" in name_of(asked.to),
        "--allow-url": asked.allow_url,
        "--header": asked.headers,
        "--rate": asked.pace.rate,
        "--secret-env": asked.signing.secret_env,
        "--secret-file": asked.signing.secret_file,
    }
    names = [name for name, value in given.items() if value]
    return f", with the same {', '.join(names)}" if names else ""
