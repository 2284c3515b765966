"""What `curl -v` says while it posts."""

from webhookctl.core.captures import raw_http
from webhookctl.core.captures.captured import Captured, Load

_NOTE = "What `curl -v` says has no body: give it with --body-file."


def read(raw: bytes, _: Load | None = None) -> Captured:
    """Read the request's lines, which begin with `>`; of several requests the last. Raises `UsageError`."""
    requests: list[list[bytes]] = []
    for line in raw.splitlines():
        if not line.startswith(b">"):
            continue
        text = line[1:].strip()
        if raw_http.is_first_line(text):
            requests.append([])
        if text and requests:
            requests[-1].append(text)
    first, *lines = requests[-1]
    head = raw_http.of_head(first, lines)
    return Captured(head.method, head.url, head.headers, None, (_NOTE,))
