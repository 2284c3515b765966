"""A captured request is read in whatever form it is."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookctl.core.captures import Captured, read
from webhookctl.core.errors import UsageError

BODY = '{"name": "Zoë", "note": "it\'s"}\n'.encode()
HEADERS = ((b"host", b"shop.example"), (b"x-signature", b"abc=="))
FILES = {"body.json": BODY}


def load(name: str) -> bytes:
    if name not in FILES:
        raise UsageError(f"{name} is not there")
    return FILES[name]


def parsed(raw: bytes) -> Captured:
    return read(raw, load)


RAW = b"POST /hooks/acme?a=1 HTTP/1.1\r\nHost: shop.example\r\nX-Signature: abc==\r\n"
TRANSCRIPT = b"""*   Trying 127.0.0.1:80...
> POST /hooks/acme?a=1 HTTP/1.1
> Host: shop.example
> X-Signature: abc==
>
} [32 bytes data]
< HTTP/1.1 200 OK
< Host: other.example
"""
CURL = "curl -sSv 'https://shop.example/hooks/acme?a=1' -H 'Host: shop.example' \\\n -H 'X-Signature: abc=='"
HAR = {
    "method": "POST",
    "url": "https://shop.example/hooks/acme?a=1",
    "headers": [{"name": "Host", "value": "shop.example"}, {"name": "X-Signature", "value": "abc=="}],
    "postData": {"mimeType": "application/json", "text": BODY.decode()},
}
FORMS: dict[str, bytes] = {
    "raw": RAW + b"\r\n" + BODY,
    "raw, with LF": RAW.replace(b"\r\n", b"\n") + b"\n" + BODY,
    "raw, counted": RAW + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + b"\n\n",
    "raw, chunked": RAW
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
    + BODY[:5]
    + b"\r\n%x;a=b\r\n" % len(BODY[5:])
    + BODY[5:]
    + b"\r\n0\r\n\r\n",
    "curl --data-binary": f"{CURL} --data-binary @body.json".encode(),
    "curl --data-raw": f"$ {CURL} --data-raw '".encode() + BODY.replace(b"'", b"'\\''") + b"'",
    "curl as browsers copy it": f"{CURL} --data-raw $'".encode()
    + BODY.replace(b"'", b"\\'").replace("ë".encode(), b"\\xc3\\xab").replace(b"\n", b"\\n")
    + b"'",
    "curl, options joined": CURL.replace("-sSv", "-sSvX POST --max-time 5 -o out").encode()
    + b" --data-binary=@body.json",
    "a HAR request": json.dumps(HAR).encode(),
    "a HAR entry": json.dumps({"startedDateTime": "…", "request": HAR}).encode(),
    "a HAR": json.dumps(
        {"log": {"entries": [{"request": HAR}, {"request": {"method": "GET", "url": "/", "headers": []}}]}}
    ).encode(),
    "a HAR in base64": json.dumps(
        HAR | {"postData": {"text": base64.b64encode(BODY).decode(), "encoding": "base64"}}
    ).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_captured(form: str) -> None:
    """Method, address, headers and each byte of the body come out the same in every form."""
    captured = parsed(FORMS[form])

    assert captured.body == BODY
    assert captured.method == "POST"
    assert captured.url == "https://shop.example/hooks/acme?a=1"
    assert captured.headers[:2] == HEADERS


def test_a_transcript_has_no_body() -> None:
    """What `curl -v` says has the headers of the request, not those of the answer, and no body."""
    captured = parsed(TRANSCRIPT)

    assert (captured.method, captured.url, captured.headers) == ("POST", "https://shop.example/hooks/acme?a=1", HEADERS)
    assert captured.body is None
    assert "--body-file" in captured.notes[0]


def test_what_curl_does_to_a_file() -> None:
    """-d leaves out line ends as curl does, and says so; several are joined; --json says its type."""
    lines = parsed(b"curl http://x.example -d @body.json")
    joined = parsed(b"curl http://x.example -d a=1 --data-urlencode 'b=x y' -XPUT")
    typed = parsed(b"curl http://x.example --json '{}'")

    assert lines.body == BODY.rstrip(b"\n")
    assert "--data-binary" in lines.notes[0]
    assert (joined.method, joined.body) == ("PUT", b"a=1&b=x%20y")
    assert (typed.body, typed.header(b"content-type")) == (b"{}", b"application/json")


def test_what_is_said_of_a_body() -> None:
    """A body that is not as long as its head says is told: cut where it goes on, as it is where it ends early."""
    longer = parsed(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\n")
    shorter = parsed(b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n{}")

    assert (longer.body, "are left out" in longer.notes[0]) == (b"{}", True)
    assert (shorter.body, "not whole" in shorter.notes[0]) == (b"{}", True)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "holds no request"),
        (b"hello", "holds no request"),
        (b"{}", "is no HAR"),
        (b"[1]", "is no HAR"),
        (b'{"log": {"entries": []}}', "0 requests"),
        (b"[" * 100_000, "is no HAR"),
        (b"POST / HTTP/1.1\r\nno colon here\r\n\r\n", "no colon"),
        (b"curl 'unfinished", "without its partner"),
        (b"curl http://x -d @not-there", "not-there is not there"),
        (b"curl http://x -F a=@b", "--body-file"),
    ],
)
def test_what_is_no_capture(raw: bytes, words: str) -> None:
    """What can't be read is refused in words."""
    with pytest.raises(UsageError, match=words):
        parsed(raw)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"curl ", b"POST / HTTP/1.1\r\n", b"> POST / HTTP/1.1\n> ", b"{"])
)
def test_whatever_is_in_a_file(raw: bytes, begin: bytes) -> None:
    """Of whatever bytes it makes a request or a sentence, and nothing else."""
    try:
        captured = parsed(begin + raw)
    except UsageError:
        return
    assert isinstance(captured, Captured)
    assert "headers)" in repr(captured)


def test_nothing_is_read_but_what_the_command_names(tmp_path: Path) -> None:
    """Only the file behind an @ is asked for, by the name that the command gives it."""
    asked: list[str] = []

    def loading(name: str) -> bytes:
        asked.append(name)
        return b"{}"

    read(f"curl http://x.example -o {tmp_path} --data-binary @a/b.json --data-raw @not-a-file".encode(), loading)

    assert asked == ["a/b.json"]
