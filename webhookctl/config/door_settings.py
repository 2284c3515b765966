"""How a supplier comes in, beside its signature: from where, by which path, and what it hears."""

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from pydantic import Field, StrictBool, WrapValidator

from webhookctl.config import units
from webhookctl.config.tables import Reference, Table, by
from webhookctl.core.addresses import Network
from webhookctl.core.challenges import Challenge
from webhookctl.core.errors import SettingsError
from webhookctl.core.jsontext import Pointer
from webhookctl.core.mapping.places import Place
from webhookctl.core.orders import ConfirmRule
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.core.signatures.template import Template

NOT_NEEDED: Final = object()
"""Stands for the secrets of a supplier that signs nothing."""
_ACKNOWLEDGING: Final = (200, 201, 202, 204)
_NO_CONTENT: Final = 204
_LONGEST_TEXT: Final = 4096
_LONGEST_CODE: Final = 256
_SHORTEST_PATH_SECRET: Final = 16
_OF_PATHS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


class OnGet(NamedTuple):
    """What GET is answered."""

    text: str


def _ack_status(written: object) -> int:
    if written not in _ACKNOWLEDGING or isinstance(written, bool):
        raise SettingsError(f"must be {', '.join(map(str, _ACKNOWLEDGING[:-1]))} or {_ACKNOWLEDGING[-1]}")
    return int(str(written))


def _ack_body(written: object) -> str:
    if not isinstance(written, str) or len(written) > _LONGEST_TEXT or not _is_text(written):
        raise SettingsError(f"must be a text in quotes of at most {_LONGEST_TEXT} characters")
    return written


def _is_text(written: str) -> bool:
    return all(char.isprintable() or char in "\r\n\t" for char in written)


def _challenge(written: object) -> Challenge | OnGet:
    if isinstance(written, str) and written in set(Challenge):
        return Challenge(written)
    if isinstance(written, dict) and list(written) == ["get"]:
        code = written["get"]
        if isinstance(code, str) and code.isascii() and code.isprintable() and 0 < len(code) <= _LONGEST_CODE:
            return OnGet(code)
    raise SettingsError(f'must be {" or ".join(map(repr, map(str, Challenge)))}, or {{ get = "what GET is answered" }}')


def _secrets(written: Any, validate: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - whatever stands in the file
    return () if written is NOT_NEEDED else validate(written)


def _one_or_more(written: Any, validate: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - whatever stands in the file
    return validate([written] if isinstance(written, str) else written)


_Some: TypeAlias = Annotated[tuple[Reference, ...], Field(min_length=1)]
Secrets: TypeAlias = Annotated[_Some, WrapValidator(_secrets)]
PathSecrets: TypeAlias = Annotated[_Some, WrapValidator(_one_or_more)]


class DoorSettings(Table):
    """The keys of a supplier's table that say how it comes in."""

    allow_ips: Annotated[tuple[Network, ...], by(units.networks)] = ()
    """Where it may send from, by the word of `trusted_proxies`; empty: from anywhere."""
    path_secret: PathSecrets = ()
    """For suppliers that sign nothing: they post to /webhooks/NAME/SECRET. Any of several may match."""
    head_ok: StrictBool = False
    """HEAD on the hook's path is answered 200: some suppliers probe it so."""
    ack_status: Annotated[int, by(_ack_status)] = 200
    ack_body: Annotated[str, by(_ack_body)] = ""
    challenge: Annotated[Challenge | OnGet, by(_challenge)] | None = None
    """How it asks whether the address is ours."""
    url: Annotated[str, by(units.web_address)] = ""
    """The address that it posts to, as it was entered there: some sign it."""
    confirm: ConfirmRule | None = None
    """Whether an order is asked for before it moves; None: where the status is not signed."""

    @property
    def answers_head(self) -> bool:
        """What was set, else what the preset says."""
        return self.head_ok

    @property
    def ack_type(self) -> str:
        """The content type of `ack_body`."""
        return "application/json" if self.ack_body.lstrip()[:1] in {"{", "[", '"'} else "text/plain"


def path_secret(secret: Secret, *, allow_short: bool = False) -> Secret:
    """Return a secret that can stand in a path; raises `SettingsError`, naming its reference only."""
    if not secret.value:
        raise SettingsError(f"the secret {secret.reference} is empty")
    if set(secret.value) - _OF_PATHS:
        raise SettingsError(
            f"the secret {secret.reference} can't stand in a path: use letters, digits, '-', '.', '_' and '~' only"
        )
    if len(secret.value) < _SHORTEST_PATH_SECRET and not allow_short:
        raise SettingsError(
            f"the secret {secret.reference} is {len(secret.value)} bytes long, and {_SHORTEST_PATH_SECRET} are needed "
            "to keep guessers out: make a longer one, as `openssl rand -hex 16` does"
        )
    return secret


def is_status_signed(scheme: Scheme, status: object) -> bool:
    """Is what a delivery says of an order's status covered by its signature? `status` is as `map.status` is written."""
    if scheme.kind in {"none", "token"}:
        return False
    places = status if isinstance(status, list) else [status or ""]
    return all(_covers(template, place) for template in scheme.templates for place in places)


def _covers(template: Template, written: object) -> bool:
    """Say whether another value at this place, the whole body where none is named, needs another signature."""
    place = Place.parse(written, "status")
    if place.header is not None:
        return any(header.key == place.header for header in template.headers)
    return template.covers(Pointer(place.written, place.tokens))


class _Contradiction(NamedTuple):
    key: str
    holds: Callable[["DoorSettings", Scheme, tuple[object, ...]], bool]
    words: str


def _is_unproven(scheme: Scheme) -> bool:
    return scheme.kind == "none"


# What is wrong in a door whose every key is right: the key to mend, the test (of the door, the scheme and the secrets),
# the sentence.
CONTRADICTIONS: Final[tuple[_Contradiction, ...]] = (
    _Contradiction(
        "confirm",
        lambda door, scheme, _: _is_unproven(scheme) and door.confirm is ConfirmRule.NONE,
        'must be "poll": this supplier signs nothing, so that what it says of an order must be asked for at its API',
    ),
    _Contradiction(
        "path_secret",
        lambda door, scheme, _: _is_unproven(scheme) and not door.path_secret and not door.allow_ips,
        "is missing: this supplier signs nothing, so that anybody could post; have it post to /webhooks/NAME/SECRET, "
        "or name the addresses that it sends from in allow_ips",
    ),
    _Contradiction(
        "secrets",
        lambda _door, scheme, secrets: _is_unproven(scheme) and bool(secrets),
        "are of no use: this supplier signs nothing; a secret in its path is named in path_secret",
    ),
    _Contradiction(
        "challenge",
        lambda door, scheme, _: _is_unproven(scheme) and isinstance(door.challenge, Challenge),
        "can't be answered: it is to be signed, and this supplier signs nothing",
    ),
    _Contradiction(
        "url",
        lambda door, scheme, _: scheme.signs_url and not door.url,
        "is missing: this supplier signs the address that it posts to, so write it as it was entered there, such as "
        'url = "https://shop.example/webhooks/acme"',
    ),
    _Contradiction(
        "ack_body",
        lambda door, _scheme, _secrets: bool(door.ack_body) and door.ack_status == _NO_CONTENT,
        "must be empty with ack_status = 204, which means that there is none",
    ),
)
