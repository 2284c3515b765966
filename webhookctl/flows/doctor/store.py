"""Is the store whole, does its key fit, is there room, and is SQLite one to rely on?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from webhookctl.core import rotation
from webhookctl.core.checkup import Area, DiskFact, Finding, StoreFact, must_fix, ok, warning

_AREA: Final = Area.STORE
_NEAR: Final = 10
"""So many times the floor are worth a warning."""
_MIB: Final = 1024**2


def findings(fact: StoreFact) -> Iterator[Finding]:
    """Judge the file and what is in it."""
    yield _of_sqlite(fact)
    if fact.missing:
        do = "The first `webhookctl serve` makes it; if there was one, mend [store] url, or restore a backup."
        yield warning(_AREA, "store", f"There is no store at {fact.path} yet.", do)
        return
    if fact.fault is not None:
        yield must_fix(_AREA, "store", fact.fault, "Change nothing before you have a copy of the file and its -wal.")
        return
    yield _of_pages(fact)
    if fact.pending:
        changes = "1 change" if fact.pending == 1 else f"{fact.pending} changes"
        said = f"An older webhookctl wrote it: the next start makes {changes} to its tables."
        yield warning(_AREA, "schema", said, "Have a backup before the first start of this version.")
    yield from _of_key(fact)


def _of_sqlite(fact: StoreFact) -> Finding:
    if fact.wal:
        return ok(_AREA, "sqlite", f"SQLite {fact.sqlite} is one to rely on.")
    said = f"SQLite {fact.sqlite} can lose rows with a WAL: the store does without, which is slower."
    return warning(_AREA, "sqlite", said, "Install pysqlite3 (`pip install -U pysqlite3`), or SQLite 3.51.3 or newer.")


def _of_pages(fact: StoreFact) -> Finding:
    if fact.whole is None:
        said = f"{fact.path} can be read; it is too large to look at every page here and now."
        return ok(_AREA, "store", said)
    if fact.whole:
        return ok(_AREA, "store", f"{fact.path} is whole: SQLite has looked at every page.")
    said = f"{fact.path} is damaged: SQLite has found pages that contradict each other."
    return must_fix(_AREA, "store", said, "Stop `serve`, keep a copy of the file and its -wal, and restore a backup.")


def _of_key(fact: StoreFact) -> Iterator[Finding]:
    if not fact.opened:
        yield ok(_AREA, "key", "Nothing is encrypted in the store so far.")
    for one in fact.opened:
        if one.fault is None:
            yield ok(_AREA, "key", f"The keys at hand open {one.what}.")
        else:
            do = "Put the key that it names into [store] keys, behind the present one; a backup of keys has it."
            yield must_fix(_AREA, "key", f"The keys at hand don't open {one.what}: {one.fault}", do)


def of_disk(fact: DiskFact | None) -> Iterator[Finding]:
    """Judge where the store lies."""
    if fact is None:
        return
    free, floor = fact.free // _MIB, fact.floor // _MIB
    if fact.read_only:
        yield must_fix(_AREA, "disk", "The store's file system is mounted read-only.", "Look at its log; remount it.")
    elif fact.free < fact.floor:
        said = f"{free} MiB are left where the store lies: below {floor} MiB `serve` answers 503."
        yield must_fix(_AREA, "disk", said, "Free some space on that disk.")
    elif fact.free < _NEAR * fact.floor:
        said = f"{free} MiB are left where the store lies; at {floor} MiB `serve` begins to answer 503."
        yield warning(_AREA, "disk", said, "Free some space on that disk soon.")
    else:
        yield ok(_AREA, "disk", f"{free} MiB are left where the store lies.")
    if fact.shared is not None:
        said = f"The store lies on {fact.shared}, a file system that is not this machine's alone: SQLite does without a"
        yield warning(_AREA, "file system", f"{said} WAL there.", "Put the store on a disk of this machine.")


def of_rotation(fact: StoreFact, secrets: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Name the old secrets that can go; whoever finds one could still sign by it."""
    for supplier, references in secrets.items():
        last_at = {name: at for (whose, name), at in fact.secret_uses.items() if whose == supplier}
        for one in rotation.judge(references, last_at):
            if one.verdict is rotation.Verdict.CAN_GO:
                said = f"{one.reference} of {supplier} can go: {one.why}."
                yield warning(Area.SECRETS, f"suppliers.{supplier}.secrets", said, "Take it out of the settings.")
