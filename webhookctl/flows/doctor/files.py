"""Can the service read and write what it needs, and can nobody else?"""

import stat
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from webhookctl.core.checkup import Area, FileFact, Finding, Person, Role, must_fix, ok, warning

_AREA: Final = Area.FILES
_OTHERS: Final = 0o077
_PRIVATE: Final = frozenset({Role.SECRET, Role.CREDENTIAL, Role.STORE})


class Needed(NamedTuple):
    """What the service does with a file, in permission bits of one class."""

    bits: int
    words: str


_NEEDED: Final = {
    Role.SETTINGS: Needed(4, "read"),
    Role.SECRET: Needed(4, "read"),
    Role.CREDENTIAL: Needed(0, "read"),
    Role.STORE: Needed(6, "read and write"),
    Role.FOLDER: Needed(7, "write to"),
    Role.PROGRAM: Needed(1, "run"),
}


def findings(facts: Sequence[FileFact], us: Person, service: Person) -> Iterator[Finding]:
    """Judge each file; `service` is whom the store belongs to, and who works with all of it, `us` who looks."""
    if us.uid != service.uid:
        yield _another(us, service)
    for fact in facts:
        yield _judged(fact, service)


def _another(us: Person, service: Person) -> Finding:
    said = f"This is {us.name}, and the store belongs to {service.name}."
    if us.uid == 0:
        return ok(_AREA, "user", f"{said} What the files must be is judged for {service.name}.")
    return warning(
        _AREA,
        "user",
        f"{said} What can't be read is told as a fault.",
        f"Run `sudo -u {service.name} webhookctl doctor`.",
    )


def _judged(fact: FileFact, service: Person) -> Finding:
    needed = _NEEDED[fact.role]
    if not _may(fact, service, needed.bits):
        said = f"{fact.path} ({owner(fact)}) can't be {_passive(needed)} by {service.name}."
        return must_fix(_AREA, fact.name, said, f"Mend its owner or its mode: `{_mending(fact, service)}`.")
    if stranger := _stranger(fact, service):
        said = f"{fact.path} ({owner(fact)}) can be changed by {stranger}{_whereby(fact)}."
        return must_fix(_AREA, fact.name, said, f"`{_closing(fact, service)}`.")
    if fact.role in _PRIVATE and stat.S_IMODE(fact.mode) & _OTHERS:
        said = f"{fact.path} ({owner(fact)}) can be read by others."
        return must_fix(_AREA, fact.name, said, f"`chmod 600 {fact.path}`.")
    return ok(_AREA, fact.name, f"{fact.path} ({owner(fact)}) is as it should be.")


def _may(fact: FileFact, person: Person, bits: int) -> bool:
    """Whether the mode lets `person` do that; what an ACL adds is not looked at."""
    if person.uid == 0:
        return bits & 1 == 0 or stat.S_ISDIR(fact.mode) or bool(fact.mode & 0o111)
    shift = 6 if fact.uid == person.uid else 3 if fact.gid in person.groups else 0
    return (fact.mode >> shift) & bits == bits


def _stranger(fact: FileFact, service: Person) -> str | None:
    """Name who else could change the file; settings, keys and programs decide where codes go."""
    if fact.role is Role.FOLDER:
        return fact.others
    if fact.mode & stat.S_IWOTH:
        return "everybody"
    if fact.uid not in {0, service.uid}:
        return f"its owner, user id {fact.uid}"
    return None


def _whereby(fact: FileFact) -> str:
    match fact.role:
        case Role.SETTINGS:
            return ", and it names programs to run"
        case Role.PROGRAM:
            return ", and it is run with the codes"
        case Role.FOLDER:
            return ", who could plant a journal there"
        case _:
            return ""


def _closing(fact: FileFact, service: Person) -> str:
    if fact.mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"chmod go-w {fact.path}"
    return f"chown {service.name} {fact.path}"


def _mending(fact: FileFact, service: Person) -> str:
    match fact.role:
        case Role.SETTINGS:
            return f"chmod a+r {fact.path}"
        case Role.PROGRAM:
            return f"chmod a+x {fact.path}"
        case _:
            return f"chown {service.name} {fact.path}"


def _passive(needed: Needed) -> str:
    return needed.words.replace("write", "written")


def owner(fact: FileFact) -> str:
    """Say whose it is, and with which mode."""
    return f"user id {fact.uid}, mode {stat.S_IMODE(fact.mode):04o}"
