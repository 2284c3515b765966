"""Every error that an operator can see, with its exit code.

    WebhookctlError                 1  the answer is no
    ├── SignatureError              1  a delivery is not proven to be its supplier's
    ├── NotFoundError               1  nothing of that name is in the store
    ├── UsageError                  2  the command line asks for something that cannot be
    ├── SettingsError               3  the settings file, a secret or a key is not usable
    │   └── SchemeError             3  a signature scheme contradicts itself
    ├── UpstreamError               4  supplier, shop or network
    ├── StoreError                  5  store or queue can't be read or written
    │   ├── StoreBusyError          5  locked by another process for too long
    │   ├── StoreFullError          5  no space left
    │   ├── StoreVersionError       5  written by a newer webhookctl
    │   ├── NoStoreError            5  a database, but none of webhookctl's
    │   ├── StoreBrokenError        5  of no use until the process is started again
    │   └── RowError                5  a row holds what no webhookctl of this version writes
    │       └── SealedError         5  a value of it can't be decrypted: wrong key, or changed
    ├── PersonNeededError           6  something waits for a person's decision
    └── StoppedError              130  Ctrl-C

A message is a sentence for the operator: what is wrong, where, what to do. It never holds a secret or a code.
"""

import traceback
from enum import IntEnum, StrEnum
from pathlib import PurePath
from typing import ClassVar, Final


class ExitCode(IntEnum):
    """What a process ends with; the lowest of several wins."""

    DONE = 0
    NO = 1
    USAGE = 2
    SETTINGS = 3
    UPSTREAM = 4
    STORE = 5
    PERSON = 6
    INTERRUPTED = 130


class WebhookctlError(Exception):
    """The root of our errors."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO


class Reason(StrEnum):
    """Why a delivery is not proven to be its supplier's."""

    MISSING_HEADER = "missing_header"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    MISMATCH = "mismatch"
    UNKNOWN_KEY = "unknown_key"
    NOT_ALLOWED_IP = "not_allowed_ip"


class SignatureError(WebhookctlError):
    """A delivery is not proven to be its supplier's.

    `skew_ms` is how far its timestamp is from our clock: positive when it lies in the past.
    """

    def __init__(self, reason: Reason, message: str, *, skew_ms: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.skew_ms = skew_ms


class NotFoundError(WebhookctlError):
    """Nothing of that name is in the store."""


class UsageError(WebhookctlError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class SettingsError(WebhookctlError):
    """The settings file, a secret or a key is not usable."""

    exit_code = ExitCode.SETTINGS


class SchemeError(SettingsError):
    """A signature scheme is incomplete or contradicts itself; `key` is the setting to mend."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class UpstreamError(WebhookctlError):
    """Supplier, shop or network did not do their part."""

    exit_code = ExitCode.UPSTREAM


class StoreError(WebhookctlError):
    """Store or queue can't be read or written."""

    exit_code = ExitCode.STORE


class StoreBusyError(StoreError):
    """Another process held the store's lock for longer than the busy timeout."""


class StoreFullError(StoreError):
    """No space is left where the store lies."""


class StoreVersionError(StoreError):
    """The store was written by a newer webhookctl."""


class NoStoreError(StoreError):
    """The file is a database, but none of webhookctl's."""


class StoreBrokenError(StoreError):
    """The disk failed at a commit: whoever holds the store open must end, for only a new start knows what is there."""


class RowError(StoreError):
    """A row can't be read as what it should be; others can. `row` names it, and what is wrong with it."""

    def __init__(self, message: str, row: str = "") -> None:
        super().__init__(message)
        self.row = row


class SealedError(RowError):
    """A stored value can't be decrypted: its key is not at hand, or it was changed."""


KEY_MISSING: Final = "which is not at hand: add that key to [store] keys."
"""How a `SealedError` ends that is over once the key is back: what was set aside for it is found by these words."""


class PersonNeededError(WebhookctlError):
    """Something waits for a person's decision."""

    exit_code = ExitCode.PERSON


class StoppedError(WebhookctlError):
    """Whoever started it stopped it: by Ctrl-C, or at a question that he was asked."""

    exit_code = ExitCode.INTERRUPTED


def told(error: BaseException) -> str:
    """Return `error` fit for a record: our own sentence, but of a foreign one only its kind and place.

    A foreign text may quote what it stumbled over, which may be a code.
    """
    if isinstance(error, WebhookctlError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
