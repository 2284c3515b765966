"""verify and sign as they are typed: what they say, and how they end."""

import base64
import hashlib
import hmac
import io
import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from webhookctl import cli

README = Path(__file__).parent.parent.parent / "README.md"
SECRET = "acme-secret-0123456789"
BODY = b'{"id": "evt_1", "total": 20.0}'
AT = "1750000000"
GITHUB = f"X-Hub-Signature-256: sha256={hmac.digest(SECRET.encode(), BODY, 'sha256').hex()}"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    shown: str
    said: str


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a folder of its own, with the body in body.json and the secret in ACME_SECRET."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_SECRET", SECRET)
    (tmp_path / "body.json").write_bytes(BODY)

    def typed(*arguments: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr("sys.argv", ["webhookctl", *arguments])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert SECRET not in captured.out + captured.err
        assert "Traceback" not in captured.err
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return typed


def by(preset: str, *further: str) -> Sequence[str]:
    return ("verify", "--preset", preset, "--secret-env", "ACME_SECRET", "--body-file", "body.json", *further)


def stripe(when: str = AT) -> str:
    value = hmac.digest(SECRET.encode(), f"{when}.".encode() + BODY, "sha256").hex()
    return f"Stripe-Signature: t={when},v1={value}"


def test_what_is_valid(run: Run) -> None:
    """Valid: it says under which secret, how old, and ends with 0."""
    ended = run(*by("stripe", "-H", stripe(), "--at", "1750000012"))

    assert ended == (0, "Valid: by stripe, signed with env:ACME_SECRET, 12 s old.\n", "")


def test_rotated_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several secrets it names the one that matched."""
    monkeypatch.setenv("OLD", "another-secret-0123456789")
    ended = run(*by("github", "--secret-env", "OLD", "-H", GITHUB, "--json"))

    assert ended.code == 0
    assert json.loads(ended.shown)["matched_secret"] == "env:ACME_SECRET"


def test_what_is_invalid(run: Run) -> None:
    """Invalid: the typed reason, the mistake, what to do, how much was tried; it ends with 1."""
    ended = run(*by("github", "-H", GITHUB, "--body-file", "-"), stdin=BODY + b"\n")

    assert ended.code == 1
    reason, mistake, advice, tried = ended.shown.splitlines()
    assert reason.startswith("Invalid (mismatch): by github.")
    assert mistake.startswith("Certain: the body ends in a newline that was not signed.")
    assert advice.startswith("What to do: ")
    assert tried.startswith("Tried ")


def test_as_json(run: Run) -> None:
    """--json has all of it."""
    page = json.loads(run(*by("github", "-H", GITHUB, "--body-file", "-", "--json"), stdin=b'{"a": 1}').shown)

    assert (page["valid"], page["reason"], page["scheme"]) == (False, "mismatch", "github")
    assert page["diagnosis"]["confidence"] == "none"
    assert page["diagnosis"]["tried"] > 100
    assert page["diagnosis"]["mistakes"] == []
    assert "expected" not in page


def test_the_expected_signature_is_shown_on_demand_only(run: Run) -> None:
    """The signature that it would need is a forgery token: only --show-expected shows it."""
    value = GITHUB.rpartition("=")[2]
    wrong = GITHUB[:-4] + ("0000" if GITHUB[-4:] != "0000" else "1111")
    for further, count in ((), 0), (("--show-expected",), 1), (("--json",), 0), (("--json", "--show-expected"), 1):
        assert run(*by("github", "-H", wrong, *further)).shown.count(value) == count


def test_without_a_preset(run: Run) -> None:
    """The scheme is recognised by the headers, and that is said."""
    arguments = ("verify", "--secret-env", "ACME_SECRET", "--body-file", "body.json", "--at", AT, "-H")
    ended, unknown = run(*arguments, stripe()), run(*arguments, "X-Nothing: 1")

    assert ended.code == 0
    assert ended.said.startswith("No --preset was given; by its headers this is stripe.")
    assert unknown.code == 2
    assert "--preset" in unknown.said


@pytest.mark.parametrize("what", ["whsec_c2VjcmV0LXNlY3JldA==", "sk_live_51Habcdefghij", "X: whsec_abcdefgh12345678"])
@pytest.mark.parametrize("option", ["-H", "--secret-env", "--secret-file", "--param", "--preset"])
def test_secrets_in_arguments(run: Run, option: str, what: str) -> None:
    """What looks like a secret is refused wherever it stands, not repeated, and is to be rotated."""
    for command in (by("github", option, what), ("sign", option, what)):
        ended = run(*command)

        assert ended.code == 2
        assert "rotate it" in ended.said
        assert what not in ended.said


@pytest.mark.parametrize("name", ["hunter2 hunter2", "hunter2hunter2hunter2"])
def test_a_secret_for_the_name_of_a_variable(run: Run, name: str) -> None:
    """Who gives the secret itself to --secret-env is told so; it is not repeated."""
    ended = run(*by("github", "--secret-env", name, "-H", GITHUB))

    assert ended.code == 2
    assert "hunter2" not in ended.said


def test_a_token_is_no_argument(run: Run, tmp_path: Path) -> None:
    """A header that holds the secret itself is not taken from an argument, but from a captured request."""
    ended = run(*by("xendit", "-H", "X-Callback-Token: token"))
    (tmp_path / "captured").write_text(f"POST / HTTP/1.1\r\nX-Callback-Token: {SECRET}\r\n\r\n{{}}")

    assert ended.code == 2
    assert "--request" in ended.said
    assert run("verify", "--preset", "xendit", "--secret-env", "ACME_SECRET", "--request", "captured").code == 0


def secret_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "acme.secret"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_secret_files(run: Run, tmp_path: Path) -> None:
    """Exactly one newline at a file's end is taken off, and said so; a file that others may read is refused."""
    arguments = ("verify", "--preset", "github", "--body-file", "body.json", "-H", GITHUB, "--secret-file")
    bare = run(*arguments, secret_file(tmp_path, SECRET))
    one = run(*arguments, secret_file(tmp_path, f"{SECRET}\n"))
    two = run(*arguments, secret_file(tmp_path, f"{SECRET}\n\n"))
    readable = run(*arguments, secret_file(tmp_path, SECRET, 0o644))

    assert (bare.code, bare.said) == (0, "")
    assert one.code == 0
    assert one.said.startswith("One newline at the end of ")
    assert two.code == 1
    assert "the secret has blanks or a newline around it" in two.shown
    assert readable.code == 3
    assert "it must be 0600" in readable.said


def test_without_a_secret(run: Run) -> None:
    """Without a secret and without a terminal to ask on, it says how to name one."""
    ended = run("verify", "--preset", "github", "--body-file", "body.json", "-H", GITHUB)

    assert ended.code == 2
    assert "--secret-env NAME or --secret-file PATH" in ended.said


BAD_INPUT: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no header": ((), 1, "Invalid (missing_header)"),
    "empty header": (("-H", "X-Hub-Signature-256:"), 1, "Invalid (malformed)"),
    "a megabyte": (("-H", f"X-Hub-Signature-256: sha256={'a' * (1 << 20)}"), 1, "Invalid (malformed)"),
    "no ASCII": (("-H", "X-Hub-Signature-256: sha256=ü☃"), 1, "Invalid (malformed)"),
    "lone surrogates": (("-H", "X-Hub-Signature-256: \udcff\ud800"), 1, "Invalid (malformed)"),
    "odd hex": (("-H", GITHUB[:-1]), 1, "Invalid (malformed)"),
    "a header without a name": (("-H", "no-colon"), 2, "-H takes a header"),
    "a name that is none": (("-H", "a b: c"), 2, "-H takes a header"),
    "no such file": (("--body-file", "not-there"), 2, "not-there can't be read: no such file"),
    "a directory": (("--body-file", "."), 2, "can't be read: is a directory"),
    "a name with surrogates": (("--body-file", "\udcff\ud800"), 2, "can't be read"),
    "no such request": (("--request", "not-there"), 2, "can't be read"),
    "a request that is none": (("--request", "body.json"), 2, "is no HAR"),
    "no such preset": (("--preset", "githup"), 2, "did you mean github?"),
    "both": (("--supplier", "acme"), 2, "exclude one another"),
    "no such variable": (("--secret-env", "NOT_THERE"), 2, "no environment variable NOT_THERE"),
    "no such secret file": (("--secret-file", "not-there"), 3, "no such file"),
    "a time of 400 digits": (("--at", "1" * 400), 2, "can't be read"),
    "a negative time": (("--at", "-1750000000"), 2, "can't be read"),
    "a time with a sign": (("--at", "+1750000000"), 2, "can't be read"),
    "a time with blanks": (("--at", " 1750000000"), 2, "can't be read"),
    "stdin for two": (("--request", "-", "--body-file", "-"), 2, "can't both be read from stdin"),
    "a param without a value": (("--param", "name"), 2, "--param takes a name and its value"),
}


@pytest.mark.parametrize("which", BAD_INPUT)
def test_bad_input(run: Run, which: str) -> None:
    """Each is a sentence and an exit code, never a traceback."""
    arguments, code, words = BAD_INPUT[which]
    ended = run(*by("github", *arguments))

    assert ended.code == code
    assert words in ended.shown + ended.said


@pytest.mark.parametrize("when", ["1" * 400, "-1750000000", "+1750000000", "1750 000000", "1e9", "", "٣" * 10])
def test_bad_timestamps(run: Run, when: str) -> None:
    """A timestamp is ASCII digits, no more than a time has; all else is malformed, even correctly signed."""
    value = hmac.digest(SECRET.encode(), f"v0:{when}:".encode() + BODY, "sha256").hex()
    ended = run(
        *by("slack", "--at", AT, "-H", f"X-Slack-Request-Timestamp: {when}", "-H", f"X-Slack-Signature: v0={value}")
    )

    assert ended.code == 1
    assert ended.shown.startswith("Invalid (malformed)")
    assert "the signature itself is good" in ended.shown


def test_ten_thousand_signatures(run: Run) -> None:
    """A list without end is refused, and looked into no further than a real one goes."""
    ended = run(*by("stripe", "-H", "Stripe-Signature: t=1," + ",".join(["v1=" + "0" * 8] * 10_000)))

    assert ended.code == 1
    assert "more than 64 items" in ended.shown


def test_truncated_base64(run: Run) -> None:
    """A signature that is cut short is told as one, though too little is left of it to read it by the scheme."""
    whole = base64.b64encode(hmac.digest(SECRET.encode(), BODY, "sha256")).decode()
    ended = run(*by("shopify", "-H", f"X-Shopify-Hmac-Sha256: {whole[:-7]}"))

    assert ended.code == 1
    assert "the signature is cut short to 27 of 32 bytes" in ended.shown


def test_a_secret_that_is_none_by_the_scheme(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that does not decode is tried as text; if that is no help, it is refused by its name."""
    monkeypatch.setenv("PLAIN", "not-base64-at-all!")
    good = base64.b64encode(hmac.digest(b"not-base64-at-all!", b"msg_1.1750000000." + BODY, "sha256")).decode()
    arguments = (
        *("verify", "--preset", "standard-webhooks", "--secret-env", "PLAIN", "--body-file", "body.json", "--at", AT),
        *("-H", "webhook-id: msg_1", "-H", "webhook-timestamp: 1750000000", "-H"),
    )
    told = run(*arguments, f"webhook-signature: v1,{good}")
    refused = run(*arguments, "webhook-signature: v1," + "A" * 43 + "=")

    assert told.code == 1
    assert "the secret's text is the key, and here it is decoded" in told.shown
    assert refused.code == 3
    assert "env:PLAIN is not base64" in refused.said


def test_urls(run: Run) -> None:
    """--url is signed as it is given, letter by letter."""
    url = "https://shop.example/hooks/square"
    value = base64.b64encode(hmac.digest(SECRET.encode(), url.encode() + BODY, "sha256")).decode()
    square = by("square", "-H", f"x-square-hmacsha256-signature: {value}")
    other = run(*square, "--url", f"{url}/")

    assert run(*square, "--url", url).code == 0
    assert other.code == 1
    assert f"the URL that was signed is {url}" in other.shown
    assert "set the public URL" in run(*square).shown


def test_params(run: Run) -> None:
    """--param fills in what only the shop knows; without it the preset can't be used."""
    text = hashlib.md5(b"M-17:" + SECRET.encode() + b":R-1", usedforsecurity=False).hexdigest()
    apigames = by("apigames", "--body-file", "-", "-H", f"X-Apigames-Authorization: {text}")

    assert run(*apigames, stdin=b'{"ref_id": "R-1"}').code == 2
    assert run(*apigames, "--param", "merchant_id=M-17", stdin=b'{"ref_id": "R-1"}').code == 0


def test_tolerance(run: Run) -> None:
    """--tolerance widens the window, 0 takes it away."""
    arguments = by("stripe", "-H", stripe(), "--at", "1750001000")

    assert run(*arguments).shown.startswith("Invalid (too_old)")
    assert run(*arguments, "--tolerance", "0").code == 0
    assert run(*arguments, "--tolerance", "20m").code == 0
    assert run(*arguments, "--tolerance", "soon").code == 2


@pytest.mark.parametrize("preset", ["stripe", "slack", "github", "shopify", "generic", "zendesk", "paddle"])
def test_signed_as_a_supplier_would(run: Run, preset: str) -> None:
    """What sign prints are curl's options; with them verify says valid."""
    arguments = ("--preset", preset, "--secret-env", "ACME_SECRET", "--body-file", "body.json", "--at", AT)
    lines = run("sign", *arguments).shown.splitlines()
    headers = [part for line in lines for part in ("-H", line.removeprefix("-H '").removesuffix("'"))]

    assert all(line.startswith("-H '") for line in lines)
    assert run("verify", *arguments, *headers).code == 0


def test_a_token_is_not_signed_onto_a_screen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the header is the secret itself, a terminal does not get it."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    ended = run("sign", *by("xendit")[1:])

    assert (ended.code, ended.shown) == (2, "")
    assert "is not for a screen" in ended.said


def test_signed_within_the_body(run: Run, tmp_path: Path) -> None:
    """Where the signature goes into the body, the body is written for its owner alone; without --output, refused."""
    arguments = ("sign", "--preset", "generic", "--secret-env", "ACME_SECRET", "--body-file", "body.json", "--in-body")
    refused, written = run(*arguments), run(*arguments, "--output", "signed.json", "--json")

    assert refused.code == 2
    assert "--output" in refused.said
    assert json.loads(written.shown)["headers"] == {}
    assert stat.S_IMODE((tmp_path / "signed.json").stat().st_mode) == 0o600
    assert run(*by("generic", "--body-file", "signed.json")).code == 0


def test_no_scheme_to_sign_by(run: Run) -> None:
    """Sign wants a preset or a supplier; --json has the headers by name."""
    nothing = run("sign", "--secret-env", "ACME_SECRET", "--body-file", "body.json")
    page: Any = json.loads(run("sign", *by("reloadly", "--json")[1:]).shown)

    assert nothing.code == 2
    assert list(page["headers"]) == ["X-Reloadly-Request-Timestamp", "X-Reloadly-Signature"]


def test_the_session_in_the_readme(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the README shows is what verify says."""
    section = README.read_text().split("## Why does a signature not match?", 1)[1]
    block = section.split("```console\n", 1)[1].split("```", 1)[0].splitlines()
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    compact = b'{"id":"evt_1","type":"order.fulfilled","amount":10.50}'
    (tmp_path / "body.json").write_bytes(b'{\n  "id": "evt_1",\n  "type": "order.fulfilled",\n  "amount": 10.50\n}')
    value = hmac.digest(SECRET.encode(), b"1777645391." + compact, "sha256").hex()
    header = f"Stripe-Signature: t=1777645391,v1={value}"
    *arguments, last = shlex.split(block[1].removeprefix("$ webhookctl "))
    ended = run(*arguments, header)

    assert header.startswith(last.removesuffix("…"))
    assert ended.code == 1
    assert len(ended.shown.splitlines()) == len(block[2:])
    for line, shown in zip(ended.shown.splitlines(), block[2:], strict=True):
        assert line.startswith(shown.removesuffix("…"))


def test_nothing_else_is_read_for_a_preset() -> None:
    """Verify --preset reads no settings, store or server, nor any other command: that would cost its start."""
    body, header = BODY.decode(), GITHUB.partition(": ")[2]
    code = f"""
import io, os, sys
sys.argv = ["webhookctl", "verify", "--preset", "github", "--secret-env", "S", "--body-file", "-", "-H"]
sys.argv.append("X-Hub-Signature-256: {header}")
sys.stdin = io.TextIOWrapper(io.BytesIO({body!r}.encode()))
import webhookctl.cli
try:
    webhookctl.cli.main()
except SystemExit as end:
    assert end.code == 0, end.code
print([name for name in sys.modules if name.startswith("webhookctl")])
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], env={**os.environ, "S": SECRET}, capture_output=True, check=True, text=True
    )

    read = set(re.findall(r"'webhookctl\.([a-z]+)", done.stdout.splitlines()[-1]))
    assert read == {"cli", "core", "flows", "secrets", "suppliers"}
    assert "core.diagnosis" not in done.stdout
    assert "cli.serve" not in done.stdout
