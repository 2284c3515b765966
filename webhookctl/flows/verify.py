"""Is a delivery valid, and if not, why?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from webhookctl.core import moments
from webhookctl.core.deliveries import Delivery
from webhookctl.core.errors import Reason, SchemeError, SignatureError
from webhookctl.core.signatures import Encoding, Key, Kind, Scheme, Secret, sent_at, verify

if TYPE_CHECKING:
    from webhookctl.core.diagnosis import Diagnosis

Presets: TypeAlias = Callable[[], Mapping[str, Scheme]]
"""Return every scheme that we know, by its preset's name; asked only where something is wrong."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How a supplier signs, as far as we know."""

    name: str
    """Of the preset or the supplier."""
    scheme: Scheme
    secrets: Sequence[Secret]
    others: Sequence[Secret] = ()
    """Secrets of other suppliers: one of them may have been meant."""


@dataclass(frozen=True, slots=True)
class Question:
    """One delivery, and by what it is judged."""

    delivery: Delivery
    signing: Signing
    now: int
    label: str = ""
    """Which one of the stored ones it is: `event 17`."""
    barred: SignatureError | None = None
    """Why it is not let in whatever it is signed with: its address, or its path."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it."""

    question: Question
    matched: str | None = None
    """The reference of the secret that matched; None where it is invalid."""
    sent_at: int | None = None
    failure: SignatureError | None = None
    diagnosis: "Diagnosis | None" = None

    @property
    def is_valid(self) -> bool:
        return self.matched is not None

    @property
    def age_ms(self) -> int | None:
        """How far the timestamp lies in the past (negative: in the future)."""
        return None if self.sent_at is None else self.question.now - self.sent_at


def judge(question: Question, presets: Presets) -> Verdict:
    """Verify, and on a failure look for the mistake; raises `SchemeError` where no secret is one for this scheme."""
    if question.barred is not None:
        return Verdict(question, failure=question.barred)
    keys, unusable = _keys(question.signing)
    if unusable is not None and not keys:
        return _unusable(question, unusable, presets)
    try:
        verified = verify(question.delivery, question.signing.scheme, keys, now=question.now)
    except SignatureError as failure:
        return _explained(question, failure, presets)
    return Verdict(question, verified.matched, sent_at(question.delivery, question.signing.scheme))


def _unusable(question: Question, fault: SchemeError, presets: Presets) -> Verdict:
    """Look whether the secret, which is none by this scheme, matches in another way."""
    failure = SignatureError(Reason.MISMATCH, f"No signature can be checked: {fault}.")
    verdict = _explained(question, failure, presets)
    if verdict.diagnosis is None or not verdict.diagnosis.is_proven:
        raise fault
    return verdict


def _keys(signing: Signing) -> tuple[list[Key], SchemeError | None]:
    """Decode each secret for itself: one that is no secret of this scheme must not hide the others."""
    keys: list[Key] = []
    unusable: SchemeError | None = None
    for secret in signing.secrets:
        try:
            keys += signing.scheme.keys([secret], allow_short=True)
        except SchemeError as error:
            unusable = error
    return keys, unusable


def _explained(question: Question, failure: SignatureError, presets: Presets) -> Verdict:
    from webhookctl.core.diagnosis import Case, diagnose  # noqa: PLC0415 - what is valid needs none of it

    signing = question.signing
    case = Case(question.delivery, signing.scheme, signing.secrets, signing.others, presets())
    found = diagnose(case, failure, now=question.now)
    return Verdict(question, None, _sent_at(question), failure, found)


def _sent_at(question: Question) -> int | None:
    try:
        return sent_at(question.delivery, question.signing.scheme)
    except SignatureError:
        return None


def expected(question: Question) -> dict[str, str]:
    """Return the signature that the delivery would need, by the secret's reference: each is a forgery token."""
    from webhookctl.core.diagnosis.recognition import expected as made  # noqa: PLC0415 - only on demand

    scheme = question.signing.scheme
    found = {}
    for key in _keys(question.signing)[0] if scheme.kind is not Kind.TOKEN else ():
        value = made(question.delivery, scheme, key.value)
        if value is not None:
            found[key.reference] = value.hex() if scheme.encoding is Encoding.HEX else _base64(value, scheme.encoding)
    return found


def _base64(value: bytes, encoding: Encoding) -> str:
    import base64  # noqa: PLC0415 - only on demand

    if encoding is Encoding.BASE64URL:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    return base64.b64encode(value).decode()


def page(verdict: Verdict) -> dict[str, Any]:
    """Say all of a verdict, for programs."""
    failure, question = verdict.failure, verdict.question
    return {
        "delivery": question.label or None,
        "scheme": question.signing.name,
        "valid": verdict.is_valid,
        "matched_secret": verdict.matched,
        "sent_at": moments.on_page(verdict.sent_at),
        "age_seconds": None if verdict.age_ms is None else verdict.age_ms / 1000,
        "judged_at": moments.on_page(question.now),
        "reason": None if failure is None else failure.reason.value,
        "message": None if failure is None else str(failure),
        "diagnosis": None if verdict.diagnosis is None else _diagnosis(verdict.diagnosis),
    }


def _diagnosis(found: "Diagnosis") -> dict[str, Any]:
    return {
        "confidence": found.confidence.value,
        "mistakes": [
            {"name": one.name, "part": one.part, "detail": one.detail, "what": one.what, "advice": one.advice}
            for one in found.mistakes
        ],
        "matched_secret": found.matched,
        "unsigned": found.is_unsigned,
        "tried": found.tried,
        "untried": found.untried,
    }
