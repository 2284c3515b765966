"""Every mistake of the space is made of every preset's deliveries, and named."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from tests.diagnosis.bodies import BODY, REWRITTEN, Maker
from tests.diagnosis.makers import ENCODINGS, FAMILIES, SECRET, SIGNED
from tests.diagnosis.scene import Scene, presets, scene
from webhookctl.core.diagnosis import Confidence, Mistake
from webhookctl.core.diagnosis.bodies import Body, Row
from webhookctl.core.diagnosis.hints import NAMES as HINTS
from webhookctl.core.diagnosis.words import WORDS
from webhookctl.core.signatures import Encoding, Kind

EQUAL = {"secret.encoded": ["digest.encoding"]}
"""What is the same in effect: a token that comes in base64, and a secret that was decoded here."""
MADE_ELSEWHERE = {"scheme.other", "scheme.but_for_that", "signed.method"}
"""In tests of their own, in test_diagnosis.py."""


def named(made: Scene, *slugs: str) -> str | None:
    """Diagnose a scene with these mistakes; return what was said instead of them, None where it names them."""
    failure = made.failure()
    assert failure is not None
    found = made.diagnosed(failure)
    wanted = sorted(slug.partition(" ")[0] for slug in slugs)
    got = sorted(mistake.name for mistake in found.mistakes)
    is_sure = found.confidence is not Confidence.NONE
    if is_sure and (got == wanted or got == EQUAL.get(" ".join(wanted))):
        return None
    return f"{made.name}: {' and '.join(slugs)} was told as {found.confidence} {got}"


def made_by(maker: Maker, valid: Scene) -> Scene | None:
    """Make a mistake; None where it can't be made of this preset, or changes nothing."""
    made = maker(valid)
    return made if made is not None and made.failure() is not None else None


@pytest.fixture(autouse=True)
def changed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of scenes share a few bodies: what may have happened to each is worked out once."""
    known: dict[tuple[int, bytes, object], list[tuple[Mistake, bytes]]] = {}
    work_out = Row.variants

    def variants(row: Row, body: Body) -> Iterator[tuple[Mistake, bytes]]:
        key = (id(row), body.raw, body.signature_pointer)
        if key not in known:
            known[key] = list(work_out(row, body))
        return iter(known[key])

    monkeypatch.setattr(Row, "variants", variants)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Iterator[Counter[tuple[str, bool]]]:
    """Count what was named and what was not; the shares are printed as a table."""
    counted: Counter[tuple[str, bool]] = Counter()
    yield counted
    with capsys.disabled():
        print(f"\n{'':34} {'made':>6} {'named':>6} {'share':>8}")  # noqa: T201 - the table is part of the result
        for name in dict.fromkeys(name for name, _ in counted):
            good, bad = counted[name, True], counted[name, False]
            print(f"{name:34} {good + bad:6} {good:6} {good / (good + bad):8.1%}")  # noqa: T201 - as above


def test_every_mistake_is_made() -> None:
    """No mistake that the diagnosis can name is left out here, and each has its words."""
    made = {slug.partition(" ")[0] for family in FAMILIES.values() for slug in family}

    assert made | set(HINTS) | MADE_ELSEWHERE == set(WORDS)


def test_every_single_mistake_is_named(report: Counter[tuple[str, bool]]) -> None:
    """Of every preset, every mistake alone: the diagnosis names that one."""
    wrong = []
    for name in presets():
        valid = scene(name)
        assert valid.failure() is None
        for family, makers in FAMILIES.items():
            for slug, maker in makers.items():
                made = made_by(maker, valid)
                if made is not None:
                    told = named(made, slug)
                    report[family, told is None] += 1
                    wrong += [told] if told else []

    assert wrong == []
    assert report.total() > 2_500


def distinct() -> list[str]:
    """Return a preset for each way of signing: those that differ by names of headers alone have the same pairs."""
    found: dict[object, str] = {}
    for name in presets():
        scheme = scene(name).scheme
        shape = (
            *(scheme.kind, scheme.algorithm, scheme.encoding, scheme.prefix, scheme.list_separator),
            *(scheme.signed.names, len(scheme.signed.steps), bool(scheme.signature_header), scheme.secret_encoding),
            *(scheme.timestamp_format, bool(scheme.timestamp_header), bool(scheme.timestamp_key)),
        )
        found.setdefault(shape, name)
    return list(found.values())


PAIRS: Mapping[str, tuple[Mapping[str, Maker], Mapping[str, Maker]]] = {
    "body and encoding": ({**BODY, **REWRITTEN}, ENCODINGS),
    "secret and signed content": (SECRET, SIGNED),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_likely_pairs_are_named(pair: str, report: Counter[tuple[str, bool]]) -> None:
    """Of every way of signing, every likely pair: both are named, in 95 of a hundred at least."""
    first, second = PAIRS[pair]
    wrong = []
    for name in distinct():
        valid = scene(name)
        for (one, make_one), (other, make_other) in pairs(first, second):
            once, alone = made_by(make_one, valid), made_by(make_other, valid)
            made = made_by(make_other, once) if once and alone else None
            if made is not None and not is_unseen(made, other):
                told = named(made, one, other)
                report[pair, told is None] += 1
                wrong += [told] if told else []

    assert len(wrong) <= 0.05 * report.total(), wrong
    assert report.total() > 200


def pairs(first: Mapping[str, Maker], second: Mapping[str, Maker]) -> Iterator[tuple[tuple[str, Maker], ...]]:
    return ((one, other) for one in first.items() for other in second.items())


def is_unseen(made: Scene, slug: str) -> bool:
    """Base64url without any of its two signs, nor an equals sign left out, is base64."""
    if made.scheme.encoding is not Encoding.BASE64 or "base64url" not in slug or made.scheme.kind is Kind.TOKEN:
        return False
    return not set(made.written()) & {"-", "_"}
