"""What may have been signed of a delivery."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from webhookctl.core.diagnosis.case import Case
from webhookctl.core.diagnosis.findings import Mistake, Mistakes
from webhookctl.core.errors import SignatureError
from webhookctl.core.signatures import Kind
from webhookctl.core.signatures.template import Source, Template, compile_template

_IDS: Final = (b"webhook-id", b"svix-id")
_MOST_ELSEWHERE: Final = 3
_SECONDS_DIGITS: Final = 10
_MILLISECONDS_DIGITS: Final = 13

# Beside the templates of all presets. webhook-id stands for whatever header has the id.
_GUESSES: Final = (
    "{body}",
    "{timestamp}.{body}",
    "{body}:{timestamp}",
    "v0:{timestamp}:{body}",
    "{header:webhook-id}.{timestamp}.{body}",
    "{url}{body}",
    "{timestamp}{body}",
    "{body}{timestamp}",
    "{timestamp}:{body}",
    "{body}.{timestamp}",
    "{timestamp}\n{body}",
    "{timestamp}|{body}",
    "{header:webhook-id}.{body}",
    "{header:webhook-id}{timestamp}{body}",
    "{timestamp}.{header:webhook-id}.{body}",
    "{url}.{body}",
    "{url}{timestamp}{body}",
    "{timestamp}{url}{body}",
    "{timestamp}.{url}.{body}",
    "{timestamp}{method}{url}{body}",
    "{method}{url}{body}",
    "{method}\n{url}\n{body}",
    "{method}\n{url}\n{timestamp}\n{body}",
)


@dataclass(frozen=True, slots=True)
class Content:
    """One way of putting together what is signed."""

    mistakes: Mistakes
    template: Template
    timestamp: bytes
    headers: Mapping[bytes, bytes]
    url: str
    method: str

    def message(self, body: bytes, secret: bytes) -> bytes | None:
        """Return the signed bytes; None where the delivery has not what it takes."""
        try:
            return self.template.render(Source(body, self.headers, self.url, self.method, self.timestamp, secret))
        except SignatureError:
            return None

    def but(self, mistake: Mistake, **changes: object) -> "Content":
        """Return it with one mistake more."""
        return replace(self, mistakes=(*self.mistakes, mistake), **changes)  # type: ignore[arg-type] # fields of ours


def near(case: Case) -> Sequence[Content]:
    """Return what may have been signed under one mistake at most: what the scheme says first."""
    if case.scheme.kind is Kind.TOKEN:
        return [_content(case, compile_template("", {}, "signed"))]
    base = _stated(case)
    return [one for one in (base, *_amiss(case, base), *_others(case, base)) if _is_possible(case, one)]


def far(case: Case) -> Sequence[Content]:
    """Return what may have been signed under two mistakes."""
    if case.scheme.kind is Kind.TOKEN:
        return []
    others = [one for one in _others(case, _stated(case)) if _is_possible(case, one)]
    return [one for other in others for one in _amiss(case, other) if _is_possible(case, one)]


def _stated(case: Case) -> Content:
    return _content(case, case.scheme.in_body if case.is_in_body else case.scheme.signed)


def shown(template: Template) -> str:
    """Write a template on one line."""
    return template.written.replace("\n", "\\n")


def _content(case: Case, template: Template) -> Content:
    headers = dict(reversed(case.delivery.headers))  # the first of a name counts
    return Content((), template, case.timestamp or b"", headers, case.delivery.url, case.delivery.method)


def _others(case: Case, base: Content) -> Iterator[Content]:
    """Return what else may have been signed; its timestamp and id are those that the delivery has."""
    found = next(case.ids(), None)
    ids = {} if found is None else dict.fromkeys(_IDS, found[1])
    times = [base.timestamp] if case.scheme.timestamp_sources else [text for _, text in _first(case.timestamps())]
    for template in _templates(case, base.template):
        other = base.but(Mistake("signed.content", shown(template)), template=template, headers={**ids, **base.headers})
        yield from (replace(other, timestamp=text) for text in times if "timestamp" in template.names)
        if "timestamp" not in template.names:
            yield other


def _templates(case: Case, stated: Template) -> Iterator[Template]:
    """Return every other template; one that only leaves the signature out belongs to `bodies`."""
    seen = {stated.written}
    known = (template for scheme in case.presets.values() for template in scheme.templates)
    for template in (case.scheme.signed, case.scheme.in_body, *_guesses(), *known):
        is_of_another_kind = "secret" in template.names and case.scheme.kind is not Kind.DIGEST
        if not (template.written in seen or template.cuts or is_of_another_kind):
            seen.add(template.written)
            yield template


@cache
def _guesses() -> tuple[Template, ...]:
    return tuple(compile_template(written, {}, "signed") for written in _GUESSES)


def _first(places: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    return islice(places, _MOST_ELSEWHERE)


def _is_possible(case: Case, content: Content) -> bool:
    """False where a template asks for what the delivery has not."""
    if not content.mistakes:
        return True
    fields = content.template.fields
    if fields and not any(case.pointed(pointer) for pointer in fields):
        return False
    return "timestamp" not in content.template.names or bool(content.timestamp)


def _amiss(case: Case, content: Content) -> Iterator[Content]:
    """Return `content` with one more thing taken wrong: its timestamp, its URL, its id, its method."""
    names = content.template.names
    if "timestamp" in names:
        for mistake, text in _timestamps(case, content.timestamp):
            yield content.but(mistake, timestamp=text)
    if "url" in names:
        for url in _urls(content.url):
            yield content.but(Mistake("signed.url", url), url=url)
    if "method" in names:
        yield content.but(Mistake("signed.method", content.method.lower()), method=content.method.lower())
    for name in content.template.headers:
        for place, value in case.ids():
            if value != content.headers.get(name.key) or case.header(name.key) is None:
                yield content.but(Mistake("header.id_other", place), headers={**content.headers, name.key: value})


def _timestamps(case: Case, stated: bytes) -> Iterator[tuple[Mistake, bytes]]:
    seen = {stated}
    for words, text in _written_otherwise(stated):
        if text not in seen:
            seen.add(text)
            yield Mistake("time.signed_as", words), text
    for place, text in _first(case.timestamps()):
        if text not in seen:
            seen.add(text)
            yield Mistake("header.timestamp_other", place), text


def _written_otherwise(text: bytes) -> Iterable[tuple[str, bytes]]:
    """Return the same moment in other forms."""
    if text.isdigit() and len(text) in {_SECONDS_DIGITS, _MILLISECONDS_DIGITS}:
        seconds, digits = int(text[:_SECONDS_DIGITS]), text
    else:
        try:
            moment = datetime.fromisoformat(text.decode("ascii"))
            seconds = int(moment.timestamp())
        except (ValueError, OverflowError, OSError):
            return []
        digits = f"{round(moment.timestamp() * 1000)}".encode()
    milliseconds = digits if len(digits) == _MILLISECONDS_DIGITS else digits + b"000"
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return [
        ("seconds", str(seconds).encode()),
        ("milliseconds", milliseconds),
        ("RFC 3339", f"{moment.isoformat()}Z".encode()),
        ("RFC 3339", f"{moment.isoformat()}.{milliseconds[-3:].decode()}Z".encode()),
        ("RFC 3339", f"{moment.isoformat()}+00:00".encode()),
    ]


def _urls(url: str) -> Iterator[str]:
    """Return what is often taken for the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    host = parts.hostname or ""
    query = f"?{parts.query}" if parts.query else ""
    path = parts.path[:-1] if parts.path.endswith("/") else f"{parts.path}/"
    other = {"http": "https", "https": "http"}.get(parts.scheme, "https")
    candidates = (
        f"{parts.scheme}://{parts.netloc}{path}{query}",
        f"{other}://{parts.netloc}{parts.path}{query}",
        f"{other}://{parts.netloc}{path}{query}",
        f"{parts.scheme}://{parts.netloc}{parts.path}",
        f"{parts.path}{query}",
        parts.path,
        f"{parts.scheme}://{host}{parts.path}{query}" if port else "",
        f"https://{host}{parts.path}{query}" if port else "",
    )
    seen = {url, ""}
    for candidate in candidates:
        if candidate not in seen:
            seen.add(candidate)
            yield candidate
