"""The columns of a bar that shows how far, how fast and how long still."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class SpeedColumn(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Return a dash until there is something to tell."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "-/s")


def columns() -> tuple[ProgressColumn, ...]:
    """Return them anew for each bar: a column keeps what it has drawn."""
    return (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), SpeedColumn(), TimeRemainingColumn())
