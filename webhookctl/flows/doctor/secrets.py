"""Do the secrets look like secrets? They are looked at, and never shown."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from webhookctl.core.checkup import Area, Finding, Verdict
from webhookctl.core.signatures import Scheme, Secret, SecretEncoding

_AREA: Final = Area.SECRETS
_FEWEST: Final = 6
"""Different characters; what openssl makes has more in its first line."""


class Shape(NamedTuple):
    """A look that no good secret has."""

    holds: Callable[[bytes, Scheme | None], bool]
    verdict: Verdict
    says: str
    do: str


def _is_literal(scheme: Scheme | None) -> bool:
    return scheme is not None and scheme.secret_encoding is SecretEncoding.UTF8 and not scheme.secret_prefix


_SHAPES: Final = (
    Shape(
        lambda value, _: b"-----BEGIN" in value,
        Verdict.MUST_FIX,
        "is a key in PEM form, where the bare secret belongs",
        "Copy the signing secret from the supplier's dashboard instead.",
    ),
    Shape(
        lambda value, _: (
            re.fullmatch(rb"(?i)(change-?me|secret|password|test|todo|example|x+|your[-_ ].*)", value) is not None
        ),
        Verdict.MUST_FIX,
        "is a word that stands for a secret",
        "Put the real one there.",
    ),
    Shape(
        lambda value, _: len(set(value)) < _FEWEST,
        Verdict.MUST_FIX,
        "has hardly any different characters: it can be guessed",
        "`openssl rand -hex 32` makes one, if it is yours to choose.",
    ),
    Shape(
        lambda value, _: value[:1] == value[-1:] and value[:1] in {b'"', b"'"},
        Verdict.WARNING,
        "stands in quotes, which count as a part of it",
        "Take the quotes away, unless the supplier's own has them.",
    ),
    Shape(
        lambda value, _: b"\n" in value.strip() or b" " in value.strip(),
        Verdict.WARNING,
        "has blanks or line ends in its middle",
        "See whether something was copied along with it.",
    ),
    Shape(
        lambda value, scheme: value.startswith(b"whsec_") and _is_literal(scheme),
        Verdict.WARNING,
        "begins with whsec_, and this scheme takes it literally",
        'If nothing verifies, set secret_prefix = "whsec_" and secret_encoding = "base64".',
    ),
    Shape(
        lambda value, _: re.match(rb"(?i)(sha256=|bearer |basic |authorization:)", value) is not None,
        Verdict.WARNING,
        "begins as a header does, not as a secret",
        "Take away what stands before the secret itself.",
    ),
)
"""The first that holds is told."""


def of_shape(name: str, secret: Secret, scheme: Scheme | None) -> Finding:
    """Judge one secret; `scheme` is that of the supplier who signs with it."""
    for shape in _SHAPES:
        if shape.holds(secret.value, scheme):
            return Finding(_AREA, name, shape.verdict, f"{secret.reference} {shape.says}.", shape.do)
    return Finding(_AREA, name, Verdict.OK, f"{secret.reference} looks like a secret.")


def of_doubles(secrets: Mapping[str, Secret]) -> Iterator[Finding]:
    """Name what stands at several places: whoever has it from one of these can pass for the other."""
    places = defaultdict[bytes, list[str]](list)
    for name, secret in secrets.items():
        places[secret.value].append(name)
    for names in places.values():
        owners = {_owner(name) for name in names}
        if len(owners) > 1:
            said = f"The same secret stands at {' and at '.join(names)}: who knows it from one can pass for the other."
            yield Finding(_AREA, names[0], Verdict.WARNING, said, "Have each of them use a secret of its own.")


def _owner(name: str) -> str:
    """Return whose it is: a supplier, or all of our own together, as one shop may serve several kinds of action."""
    return ".".join(name.split(".")[: 2 if name.startswith("suppliers.") else 1])
