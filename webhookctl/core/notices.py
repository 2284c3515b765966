"""What a notice says of many actions at once: templates that the operator can change, filled without any code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template
from typing import Final

from webhookctl.core import spelling
from webhookctl.core.documents import excerpt
from webhookctl.core.errors import SettingsError
from webhookctl.core.moments import to_the_second
from webhookctl.core.ports.handler import Task
from webhookctl.core.redaction import Code

TITLE: Final = "webhookctl: $what ($supplier)"
LINE: Final = "$cause, $supplier, $reference ($count): $detail"
FIELDS: Final = {
    "what": "how many of which kind: `3 alerts`",
    "count": "how many",
    "kind": "`alert`, `notify`, …",
    "supplier": "the suppliers, at most ten",
    "reference": "the orders' references, at most ten",
    "order_id": "the supplier's ids of the first order",
    "status": "the status of the first order",
    "cause": "why, in a word: `refused:deliver`",
    "detail": "the sentence of the first",
    "since": "when the first came about, UTC",
}
_MOST_NAMED: Final = 10
_MOST_LINES: Final = 20
_PLURALS: Final = {"notify": "notices", "alert": "alerts", "refund": "refunds", "top_up": "top-ups"}
_SINGULARS: Final = {"notify": "notice", "top_up": "top-up"}


def template(written: object) -> str:
    """Read a template; raises `SettingsError` where it names what there is not."""
    if not isinstance(written, str) or not written.strip():
        raise SettingsError("must be a text in quotes")
    found = Template(written)
    if not found.is_valid():
        raise SettingsError("has a $ that begins no field's name: write $$ for the sign itself")
    for name in found.get_identifiers():
        if name not in FIELDS:
            hint = spelling.nearest(name, FIELDS, "${}") or f"there are {', '.join(f'${known}' for known in FIELDS)}"
            raise SettingsError(f"has a field ${name}, which there is not; {hint}")
    return written


@dataclass(frozen=True, slots=True)
class Wording:
    """How notices are worded: a title, and a line for each group of actions of one supplier and cause."""

    title: str = TITLE
    line: str = LINE

    def of(self, tasks: Sequence[Task]) -> tuple[str, str]:
        """Return title and text for `tasks`, none of whose orders' codes is in them."""
        codes = set[Code]().union(*(task.codes for task in tasks))
        groups = dict[tuple[str, str], list[Task]]()
        for task in sorted(tasks, key=lambda task: task.action.id):  # which begins with its time
            groups.setdefault((task.action.supplier, _cause(task)), []).append(task)
        lines = [self._filled(self.line, group, codes) for group in list(groups.values())[:_MOST_LINES]]
        if len(groups) > _MOST_LINES:
            lines.append(f"… and {len(groups) - _MOST_LINES} more: `webhookctl actions list` shows them.")
        return self._filled(self.title, tasks, codes), "\n".join(lines)

    def _filled(self, text: str, tasks: Sequence[Task], codes: set[Code]) -> str:
        filled = Template(text).substitute(_fields(tasks))
        return "\n".join(excerpt(line, codes) for line in filled.splitlines())


def _fields(tasks: Sequence[Task]) -> dict[str, object]:
    first, count = tasks[0], len(tasks)
    kind = first.action.kind.value
    of_kind = _SINGULARS.get(kind, kind) if count == 1 else _PLURALS.get(kind, kind)
    return {
        "what": f"{count} {of_kind}",
        "count": count,
        "kind": kind,
        "supplier": _named(task.action.supplier for task in tasks),
        "reference": _named(task.action.subject for task in tasks) or "no order",
        "order_id": (first.order and first.order.order_id) or "-",
        "status": first.order.status.value if first.order else "-",
        "cause": _cause(first),
        "detail": first.action.detail or "-",
        "since": to_the_second(first.action.created_at),
    }


def _named(names: Iterable[str]) -> str:
    different = [name for name in dict.fromkeys(names) if name]
    more = len(different) - _MOST_NAMED
    return ", ".join(different[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cause(task: Task) -> str:
    """Return the cause without the id of what it is about: what has the same one belongs together."""
    action = task.action
    words = [word for word in action.cause.split(":") if word != action.subject and "-" not in word]
    return ":".join(words) or action.kind.value
