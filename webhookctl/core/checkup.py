"""What a check-up has looked at, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How it stands with one thing, the worst first."""

    MUST_FIX = "must fix"
    WARNING = "warning"
    OK = "ok"


class Area(StrEnum):
    """What belongs together."""

    VERSIONS = "versions"
    SETTINGS = "settings"
    FILES = "files"
    SECRETS = "secrets"
    STORE = "store"
    LISTENERS = "listeners"
    WORK = "work"
    ACTIONS = "actions"
    NETWORK = "network"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: Area
    name: str
    verdict: Verdict
    says: str
    """A sentence; never holds a secret or a code."""
    do: str = ""
    """What to do about it; empty where all is well."""


def ok(area: Area, name: str, says: str) -> Finding:
    """Return that all is well."""
    return Finding(area, name, Verdict.OK, says)


def warning(area: Area, name: str, says: str, do: str) -> Finding:
    """Return what works and may not for long."""
    return Finding(area, name, Verdict.WARNING, says, do)


def must_fix(area: Area, name: str, says: str, do: str) -> Finding:
    """Return what does not work."""
    return Finding(area, name, Verdict.MUST_FIX, says, do)


class Role(StrEnum):
    """What a file is for: that decides who may do what with it."""

    SETTINGS = "settings"
    SECRET = "secret"  # noqa: S105 - the name of a role
    CREDENTIAL = "credential"
    """A secret that systemd hands over: it reads it as root."""
    STORE = "store"
    FOLDER = "folder"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file or folder as the system has it."""

    role: Role
    name: str
    """What the settings call it."""
    path: str
    mode: int
    """Of type and permissions, as st_mode has it."""
    uid: int
    gid: int
    others: str | None = None
    """Who else writes to a folder, in words."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the system."""

    uid: int
    name: str
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class DiskFact:
    """The disk that the store lies on."""

    free: int
    """Bytes that we may still write."""
    floor: int
    """Below it `serve` answers 503."""
    read_only: bool = False
    shared: str | None = None
    """The kind of a file system that more than this machine stands behind."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Whether one encrypted value opens."""

    what: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class StoreFact:
    """The store as it is, looked at without changing anything."""

    path: str
    sqlite: str = ""
    """The version of SQLite that would open it."""
    wal: bool = True
    """It is one that is safe with a WAL."""
    missing: bool = False
    fault: str | None = None
    """Why it can't be used, and what to do."""
    pending: int = 0
    """Migrations that the next start makes."""
    whole: bool | None = None
    """SQLite's own look at every page; None: the time was up before its end."""
    opened: tuple[Opened, ...] = ()
    last_beat: int | None = None
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Actions by kind that wait."""
    secret_uses: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """How another machine's endpoint answered."""

    where: str
    """Its address, fit to be shown."""
    status: int | None = None
    unreached: str | None = None
    """Why there was no answer, as a sentence."""
    sent: bool = False
    """Without an answer, it may have got the request all the same."""
    refused: str | None = None
    """Our credentials are not accepted."""
    skew_ms: int | None = None
    """How far our clock is ahead of its; negative: behind. None: it does not say."""
    certificate_ends: int | None = None


@dataclass(frozen=True, slots=True)
class Starting:
    """What starts webhookctl by itself on this machine."""

    serve: tuple[str, ...] = ()
    """Units and crontabs that name `webhookctl serve` or `work`."""
    poll: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """What might name it and can't be read by this user."""
