"""Taking events of a file into the log, as far as somebody vouches for them: a supplier's signature, or a person."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from webhookctl.core.admission import Door
from webhookctl.core.deliveries import Verified, Via
from webhookctl.core.errors import SignatureError
from webhookctl.core.ports.events import Events
from webhookctl.core.ports.intake import Intake
from webhookctl.core.signatures import verify
from webhookctl.flows.event_files import Line, Recorded

_ROWS_A_COMMIT: Final = 500
_BYTES_A_COMMIT: Final = 4 << 20
_TOLD: Final = 1_000
"""So many refused lines are named; all are counted."""
_AHEAD_MS: Final = 300_000
"""How far a clock may be ahead of ours."""


class Fate(StrEnum):
    """What becomes of a line."""

    PROVEN = "proven"
    VOUCHED = "vouched"
    HERE = "here"
    REFUSED = "refused"


@dataclass(slots=True)
class Report:
    """What became of the lines of a file."""

    counts: Counter[Fate] = field(default_factory=lambda: Counter(dict.fromkeys(Fate, 0)))
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Line and reason, of the first ones."""

    @property
    def taken(self) -> int:
        """How many events came in, or would."""
        return self.counts[Fate.PROVEN] + self.counts[Fate.VOUCHED]

    def refuse(self, number: int, why: str) -> None:
        self.counts[Fate.REFUSED] += 1
        if len(self.refused) < _TOLD:
            self.refused.append((number, why))


@dataclass(frozen=True, slots=True)
class Import:
    """Proves each line as it would have been proven on arrival, by the secrets of now and at the time of its receipt.

    A file can be forged, whatever secret it says has matched: only the signature over its exact bytes counts, or the
    word of whoever runs this.
    """

    events: Events
    intake: Intake
    doors: Mapping[str, Door]
    urls: Mapping[str, str]
    """What each supplier signs as the address, where the file does not say."""
    upto: int
    """The highest number of the log before the import: what comes in with it is not looked through again."""
    now: int
    voucher: str | None = None
    """Who takes in what no signature proves, and why; None: it is refused."""

    def run(self, lines: Iterable[Line], seen: Callable[[int], None], report: Report, *, dry_run: bool) -> None:
        """Take in what is proven or vouched for, some hundreds a commit, and report the rest by line."""
        for batch in _batches(lines):
            proven = list[tuple[Verified, Fate]]()
            for line in batch:
                judged = line.said if isinstance(line.said, str) else self._judged(line.said)
                if isinstance(judged, str):
                    report.refuse(line.number, judged)
                else:
                    proven.append(judged)
            self._take(proven, report, dry_run=dry_run)
            seen(sum(line.size for line in batch))

    def _take(self, proven: list[tuple[Verified, Fate]], report: Report, *, dry_run: bool) -> None:
        if not proven:
            return
        here = self.events.here([one.delivery.delivery_id for one, _ in proven], upto=self.upto)
        new = [(one, fate) for one, fate in proven if one.delivery.delivery_id not in here]
        if not dry_run:
            self.intake.accept([one for one, _ in new])
        report.counts[Fate.HERE] += len(proven) - len(new)
        report.counts.update(fate for _, fate in new)

    def _judged(self, said: Recorded) -> tuple[Verified, Fate] | str:
        """Return what comes in and on whose word, or why nothing does."""
        delivery = said.delivery
        door = self.doors.get(delivery.supplier)
        if door is None:
            return f"its supplier {delivery.supplier!r} is not in the settings"
        if delivery.received_at > self.now + _AHEAD_MS:
            return "its received_at lies in the future"
        doubt = _doubt(said, door)
        if doubt is None:
            try:
                return self._proven(said, door), Fate.PROVEN
            except SignatureError as error:
                doubt = f"no secret of the settings proves it ({error.reason.value})"
        if self.voucher is None:
            return f"{doubt}: --unsigned takes it on your word"
        # What was asked for is in words of our own, and must be read as such.
        via = Via.POLL if delivery.via is Via.POLL else Via.IMPORT
        return Verified(delivery._replace(via=via), self.voucher, said.event_id), Fate.VOUCHED

    def _proven(self, said: Recorded, door: Door) -> Verified:
        delivery = said.delivery
        url = delivery.url or self.urls[delivery.supplier]
        return verify(delivery._replace(via=Via.IMPORT, url=url), door.scheme, door.keys, now=delivery.received_at)


def _doubt(said: Recorded, door: Door) -> str | None:
    """Say why its signature can't be asked."""
    if said.delivery.via is Via.POLL:
        return "it was learned by asking, which nobody signs"
    return None if door.keys else "its supplier signs nothing"


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch, size = list[Line](), 0
    for line in lines:
        batch.append(line)
        size += line.size
        if len(batch) == _ROWS_A_COMMIT or size >= _BYTES_A_COMMIT:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
