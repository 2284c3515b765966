"""What a system of files, users and units says of itself; nothing is changed."""

import os
import pwd
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from webhookctl.adapters.free_space import room
from webhookctl.adapters.store_sqlite.place import is_read_only, shared_file_system, who_else_writes
from webhookctl.core.checkup import DiskFact, FileFact, Person, Role, Starting

_CONNECT_S: Final = 1.0
_UNITS: Final = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
_TABLES: Final = ("etc/crontab", "etc/cron.d", "var/spool/cron/crontabs", "var/spool/cron")
_OTHERS: Final = ("etc/supervisor/conf.d", "etc/init.d")
_LARGEST: Final = 256 * 1024
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to find who listens there
_LAST: Final = re.compile("[/=]")
_WORK: Final = frozenset({"serve", "work"})


def person(uid: int) -> Person:
    """Return a user by number."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Person(uid, f"user id {uid}")
    with suppress(OSError):
        return Person(uid, found.pw_name, frozenset(os.getgrouplist(found.pw_name, found.pw_gid)))
    return Person(uid, found.pw_name, frozenset({found.pw_gid}))


def us() -> Person:
    """Return who we are."""
    return person(os.geteuid())


def keeper(store: Path) -> Person:
    """Return whom the store belongs to, or the folder that it is to lie in: whoever serves must be that."""
    for path in (store, store.parent):
        with suppress(OSError):
            return person(path.stat().st_uid)
    return us()


def look_at(role: Role, name: str, path: Path, service: Person) -> FileFact | None:
    """Look at a file; None where there is none, or none that we may see."""
    try:
        found = path.stat()
    except OSError:
        return None
    others = who_else_writes(found, service.uid) if stat.S_ISDIR(found.st_mode) else None
    return FileFact(role, name, str(path), found.st_mode, found.st_uid, found.st_gid, others)


def disk(store: Path) -> DiskFact | None:
    """Look at the disk that the store lies on, or is to."""
    found = room(store.parent)
    if found is None:
        return None
    return DiskFact(*found, read_only=is_read_only(store), shared=shared_file_system(store))


def is_listening(host: str, port: int) -> bool:
    """Say whether somebody takes connections at this address of our own."""
    try:
        with socket.create_connection((_ANYWHERE.get(host, host), port), timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def starting(root: Path, home: Path) -> Starting:
    """Look for what starts us: units of systemd (the system's and the user's), crontabs, supervisor, init scripts."""
    texts, unreadable = list[tuple[str, str]](), list[str]()
    for path in _candidates(root, home):
        try:
            with path.open("rb") as file:
                texts.append((path.name, file.read(_LARGEST).decode("utf-8", "replace")))
        except OSError:
            unreadable.append(str(path))
    serve = [name for name, text in texts if _names(text, _WORK)]
    poll = [name for name, text in texts if _names(text, frozenset({"poll"}))]
    unreadable += [f"/{folder}" for folder in _TABLES if _is_closed(root / folder)]
    return Starting(tuple(serve), tuple(poll), tuple(unreadable))


def _candidates(root: Path, home: Path) -> Iterator[Path]:
    folders = [*(root / name for name in (*_UNITS, *_TABLES, *_OTHERS)), home / ".config/systemd/user"]
    for folder in folders:
        with suppress(OSError):  # a folder that we may not enter, or that there is not
            yield from (path for path in _within(folder) if path.is_file())


def _within(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else [folder]


def _is_closed(folder: Path) -> bool:
    return os.access(folder, os.F_OK) and not os.access(folder, os.R_OK)


def _names(text: str, commands: frozenset[str]) -> bool:
    """Say whether a line that is no comment calls us with one of `commands`."""
    return any(_calls(line.split(), commands) for line in text.splitlines() if not line.lstrip().startswith(("#", ";")))


def _calls(words: Sequence[str], commands: frozenset[str]) -> bool:
    ours = next((at for at, word in enumerate(words) if _LAST.split(word)[-1] == "webhookctl"), None)
    return ours is not None and not commands.isdisjoint(words[ours + 1 :])
