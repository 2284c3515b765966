"""What `verify` says."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from webhookctl.cli import output
from webhookctl.core.signatures import Kind
from webhookctl.core.signatures.timestamps import seconds

if TYPE_CHECKING:
    from webhookctl.core.diagnosis import Diagnosis
    from webhookctl.flows.verify import Verdict

_COLUMNS: Final = ("Delivery", "Supplier", "Verdict", "Why")


def show(found: "Sequence[Verdict]", *, as_json: bool, show_expected: bool) -> None:
    """Show verdicts: one in words, several as a table; with `as_json` one object for each."""
    if as_json:
        _show_json(found, show_expected=show_expected)
    elif len(found) == 1:
        for line in _lines(found[0], show_expected=show_expected):
            output.emit(line)
    else:
        output.table(_COLUMNS, (_cells(verdict) for verdict in found), empty="Nothing of that is in the quarantine.")


def _show_json(found: "Sequence[Verdict]", *, show_expected: bool) -> None:
    from webhookctl.flows import verify as flow

    for verdict in found:
        page = flow.page(verdict)
        if show_expected:
            page["expected"] = flow.expected(verdict.question)
        output.show_json(page) if len(found) == 1 else output.emit_raw_json(page)


def _lines(verdict: "Verdict", *, show_expected: bool) -> Iterator[str]:
    of = f"{verdict.question.label}, " if verdict.question.label else ""
    if verdict.failure is None:
        yield f"Valid: {of}by {verdict.question.signing.name}, {_proof(verdict)}{_age(verdict)}."
    else:
        yield f"Invalid ({verdict.failure.reason}): {of}by {verdict.question.signing.name}. {verdict.failure}"
    if verdict.diagnosis is not None:
        yield from _explained(verdict.diagnosis)
    if show_expected:
        from webhookctl.flows import verify as flow

        for reference, text in flow.expected(verdict.question).items():
            yield f"Expected with {reference}: {text}"


def _proof(verdict: "Verdict") -> str:
    if verdict.question.signing.scheme.kind is Kind.NONE:
        return "who signs nothing: its path or address let it in"
    return f"signed with {verdict.matched}"


def _age(verdict: "Verdict") -> str:
    if verdict.question.signing.scheme.kind is Kind.NONE:
        return ""
    if verdict.age_ms is None:
        return ", without a timestamp"
    return f", {seconds(verdict.age_ms)} s {'old' if verdict.age_ms >= 0 else 'in the future'}"


def _explained(found: "Diagnosis") -> Iterator[str]:
    from webhookctl.core.diagnosis import Confidence

    yield _conclusion(found)
    for mistake in found.mistakes:
        yield f"What to do: {mistake.advice}"
    if found.mistakes and found.confidence is not Confidence.NONE:
        yield f"Tried {found.tried} variants."
    if found.untried:
        yield f"At least {found.untried} variants were left untried, to answer in time: the body is large."


def _conclusion(found: "Diagnosis") -> str:
    from webhookctl.core.diagnosis import Confidence

    match found.confidence:
        case Confidence.CERTAIN:
            return f"Certain: {_all(found)}. With that undone it verifies with {found.matched}."
        case Confidence.LIKELY:
            return f"Likely: {_all(found)}."
        case Confidence.NONE:
            return _unexplained(found)


def _unexplained(found: "Diagnosis") -> str:
    if found.is_unsigned:
        return (
            "Nothing in it looks like a signature: is a secret set at the supplier's, and do proxies pass headers on?"
        )
    return (
        f"Nothing in {found.tried} variants matched: the secret is another one, or the body was changed beyond these."
    )


def _all(found: "Diagnosis") -> str:
    return "; and ".join(mistake.what for mistake in found.mistakes)


def _cells(verdict: "Verdict") -> tuple[str, ...]:
    question = verdict.question
    word = "valid" if verdict.is_valid else f"invalid: {verdict.failure.reason if verdict.failure else ''}"
    return (question.label, question.delivery.supplier or question.signing.name, word, _why(verdict))


def _why(verdict: "Verdict") -> str:
    if verdict.diagnosis is None:
        return _proof(verdict) if verdict.failure is None else str(verdict.failure)
    if verdict.diagnosis.is_unsigned:
        return "nothing in it looks like a signature"
    if not verdict.diagnosis.mistakes:
        return f"nothing in {verdict.diagnosis.tried} variants matched"
    return f"{verdict.diagnosis.confidence}: {_all(verdict.diagnosis)}"
