"""Where does a secret lie, and may it be read from there?"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

from webhookctl.core.errors import SettingsError
from webhookctl.core.secret import Secret

_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
_LONGEST: Final = 64 * 1024
"""Bytes; no secret is near it, and what is longer is another file."""
_BOM: Final = b"\xef\xbb\xbf"
_FORMS: Final = "env:NAME, file:PATH or credential:NAME"


_TRUSTED: ContextVar[frozenset[int]] = ContextVar("trusted", default=frozenset())


@contextmanager
def on_behalf_of(uid: int) -> Iterator[None]:
    """Let secrets be those of this user: root may look whether all is right for whoever serves."""
    token = _TRUSTED.set(frozenset({uid}))
    try:
        yield
    finally:
        _TRUSTED.reset(token)


class SecretSource(StrEnum):
    """What can hold a secret."""

    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"
    """A file that systemd lays into $CREDENTIALS_DIRECTORY, where only this service sees it; without systemd, the file
    of that name beside the settings. So one settings file serves the service, cron and an operator's shell."""


_NAMES: Final[Mapping[SecretSource, tuple[re.Pattern[str], str]]] = {
    SecretSource.ENV: (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "letters, digits and underscores"),
    SecretSource.FILE: (re.compile(r"[^\0]*[^\0/]"), "the path of a file"),
    SecretSource.CREDENTIAL: (re.compile(r"(?!\.{1,2}$)[^\0/:]+"), "a name without a slash"),
}


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lies; the secret itself is read when it is first needed."""

    source: SecretSource
    name: str

    @classmethod
    def parse(cls, written: object) -> "SecretRef":
        """Read `env:NAME` and the like; the error never repeats what was written, for it may be the secret itself."""
        if not isinstance(written, str):
            raise SettingsError(f"must be a reference in quotes: {_FORMS}")
        word, _, name = written.partition(":")
        if word not in set(SecretSource):
            raise SettingsError(
                f"must be a reference, {_FORMS}: a secret is never written into the settings. "
                "If it was a real one, others may have read it: get a new one"
            )
        source = SecretSource(word)
        pattern, form = _NAMES[source]
        if not pattern.fullmatch(name):
            raise SettingsError(f"must have {form} after {source}:")
        return cls(source, name)

    @property
    def reference(self) -> str:
        return f"{self.source}:{self.name}"

    def __str__(self) -> str:
        return self.reference

    def read(self, environ: Mapping[str, str], base: Path) -> Secret:
        """Return the secret; a relative `file:` is looked for in `base`. Raises `SettingsError`."""
        return Secret(self._checked(self._value(self._written(environ, base))), self.reference)

    def read_to_try(self, environ: Mapping[str, str], base: Path) -> tuple[Secret, bool]:
        """Return the secret with whatever stands around it, and whether a newline at its end was taken off.

        For finding out whether just that is wrong. Raises `SettingsError`.
        """
        written = self._written(environ, base)
        value = self._value(written)
        if not value:
            raise SettingsError(f"{self} is empty.")
        return Secret(value, self.reference), value != written

    def _written(self, environ: Mapping[str, str], base: Path) -> bytes:
        match self.source:
            case SecretSource.ENV:
                return self._from_environment(environ)
            case SecretSource.FILE:
                return self._from_file(base / self.name, guarded_by_mode=True)
            case SecretSource.CREDENTIAL:
                return self._from_credential(environ, base)
            case _:
                assert_never(self.source)

    def _value(self, written: bytes) -> bytes:
        """Every editor ends a file with a newline; exactly one goes."""
        if self.source is SecretSource.ENV or not written.endswith(b"\n"):
            return written
        return written.removesuffix(b"\n").removesuffix(b"\r")

    def _from_environment(self, environ: Mapping[str, str]) -> bytes:
        value = environ.get(self.name)
        if value is None:
            raise SettingsError(f"{self} is not set: set this environment variable, or change the reference.")
        return os.fsencode(value)

    def _from_credential(self, environ: Mapping[str, str], base: Path) -> bytes:
        folder = environ.get(_CREDENTIALS)
        if not folder:
            return self._from_file(base / self.name, guarded_by_mode=True)
        if _is_absent(Path(folder) / self.name):
            raise SettingsError(
                f"{self} is not among this service's credentials: add LoadCredential={self.name}:PATH to its unit."
            )
        return self._from_file(Path(folder) / self.name, guarded_by_mode=False)

    def _from_file(self, path: Path, *, guarded_by_mode: bool) -> bytes:
        try:
            # A FIFO must not make us wait for whoever writes into it.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise SettingsError(f"{self} can't be read: {path}: {(error.strerror or 'refused').lower()}.") from None
        try:
            self._check(os.fstat(descriptor), path, guarded_by_mode=guarded_by_mode)
            value = os.read(descriptor, _LONGEST + 1)
        except OSError as error:
            raise SettingsError(f"{self} can't be read: {path}: {(error.strerror or 'refused').lower()}.") from None
        finally:
            os.close(descriptor)
        if len(value) > _LONGEST:
            raise SettingsError(f"{self} holds more than {_LONGEST} bytes: that is no secret. Is it the right file?")
        return value

    def _check(self, status: os.stat_result, path: Path, *, guarded_by_mode: bool) -> None:
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise SettingsError(f"{self} can't be read: {path} is {what}.")
        if not guarded_by_mode:
            return  # systemd's folder is closed to others; where it uses an ACL, the mode shows the ACL's mask
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~(stat.S_IRUSR | stat.S_IWUSR):
            raise SettingsError(f"{self} is not safe: {path} has mode {mode:04o}; it must be 0600: chmod 600 {path}")
        if status.st_uid not in {os.geteuid(), 0, *_TRUSTED.get()}:
            raise SettingsError(
                f"{self} is not safe: {path} belongs to another user (id {status.st_uid}), who could change it; "
                "it must belong to the user that runs webhookctl, or to root."
            )

    def _checked(self, value: bytes) -> bytes:
        if not value:
            raise SettingsError(f"{self} is empty.")
        if value.startswith(_BOM):
            raise SettingsError(f"{self} begins with a byte order mark: save it as UTF-8 without one.")
        if value != value.strip():
            raise SettingsError(
                f"{self} begins or ends with white space: remove it (one newline at the end of a file is fine)."
            )
        return value


def _is_absent(path: Path) -> bool:
    """Where it can't be looked at, whoever opens the file says why."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
