"""A code is seen by the shop and by nobody else: every command, log and file is searched for those that came in.

Commands are found in the program itself, so that a new one is searched too; what it needs to be called with is taken
from the names of its arguments.
"""

import base64
import json
import signal
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.cli.test_help import COMMANDS
from tests.e2e.program import Program, free_port, until
from webhookctl import cli, wiring
from webhookctl.wiring import upkeeping

CODE, PIN, SERIAL = "CANRY-Q7W2E-9XKLM", "84731956", "SNX-5521-7788-0043"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"canary picture" * 12).decode()
SECRETS: Final = (CODE, CODE.replace("-", ""), CODE.lower(), PIN, SERIAL, PICTURE, PICTURE[:40])
BODY: Final[dict[str, Any]] = {
    "event": "order.fulfilled",
    "data": {
        "order_id": "SUP-1",
        "reference": "ORD-1",
        "status": "fulfilled",
        "note": f"your code is {CODE}",
        "items": [{"sku": "a", "code": CODE, "pin": PIN}, {"sku": "b", "code": PICTURE}],
        "delivery": {"cards": [{"cardNumber": SERIAL}], "vouchers": {"any": [SERIAL]}},
    },
}
SETTINGS = """
[store]
url = "sqlite:webhookctl.db"
keys = ["env:STORE_KEY"]
[serve]
listen = "{listen}"
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
[actions.deliver]
http = "{shop}"
secret = "env:SHOP_SECRET"
retry = {{ first = "50ms", longest = "50ms" }}
[actions.notify]
command = ["{python}", "-c", "import sys; print(sys.stdin.read(), open('{folder}/payload.json').read()); sys.exit(3)"]
"""
ENVIRON: Final = {
    "STORE_KEY": "17" * 32,
    "ACME_SECRET": "the supplier's secret of many characters",
    "SHOP_SECRET": "whsec_" + base64.b64encode(b"the shop's secret of 32 letters!").decode(),
}
# `serve` runs for itself below; `reveal` is what shows codes.
APART: Final = {("serve",), ("orders", "reveal")}
_VALUES: Final = {
    "REF": ["ORD-1"],
    "REF...": ["ORD-1"],
    "reference": ["ORD-1"],
    "FILE": ["payload.json"],
    "file": ["payload.json"],
    "source": ["payload.json"],
    "NAME": ["acme", "generic"],
    "name": ["acme"],
    "supplier": ["acme"],
    "REASON": ["a test looks"],
    "reason": ["a test looks"],
    "sample": ["payload.json"],
    "older_than": ["7d"],
    "AGE": ["7d"],
}
"""What arguments are called with, by metavar or name; ids are looked up."""
_ENDING: Final[dict[tuple[str, ...], list[str]]] = {("events", "tail"): ["--after", "0", "--until", "0s"]}
"""What makes a command end that would go on."""
_FLAGS: Final = {"yes", "once", "dry_run"}
"""Options that are always given where there are any: nobody is there to answer, or to stop it."""


@dataclass
class Shop:
    """A folder in which codes came in, were refused, repeated, delivered and refunded."""

    folder: Path
    ids: dict[str, list[str]] = field(default_factory=dict)
    log: str = ""


def _shop_answers(seen: list[bytes], request: Request) -> Response:
    """Repeat what was sent, at first with an error: every careless shop does."""
    seen.append(request.get_data())
    return Response(request.get_data() + CODE.encode(), status=500 if len(seen) < 3 else 200)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder, listen, seen = tmp_path_factory.mktemp("secrecy"), f"127.0.0.1:{free_port()}", list[bytes]()
    folder.chmod(0o700)
    (folder / "payload.json").write_text(json.dumps(BODY))
    (folder / "payload.json").chmod(0o600)
    refund = json.dumps({**BODY, "event": "order.refunded", "data": {**BODY["data"], "status": "refunded"}})
    other = json.dumps(BODY).replace("CANRY", "OTHER")
    program = Program(folder, ENVIRON)
    with HTTPServer("127.0.0.1") as server:
        server.expect_request("/").respond_with_handler(lambda request: _shop_answers(seen, request))
        words = {"listen": listen, "shop": server.url_for("/"), "python": sys.executable, "folder": folder}
        (folder / "webhookctl.toml").write_text(SETTINGS.format(**words))
        with program.serve("--verbose") as serving:
            for body in (json.dumps(BODY), f"{CODE} is no JSON", other):
                assert program.run("send", "-", stdin=body.encode()).returncode == 0
            program.run("send", "-", "--tamper", stdin=json.dumps(BODY).encode())
            until(lambda: len(seen) >= 3, "the delivery has succeeded")
            assert program.run("send", "-", stdin=refund.encode()).returncode == 0
            until(lambda: "given up" in serving.words, "the notice has failed")
            serving.stop(signal.SIGTERM)
    log = serving.words
    ids = {group: [str(one["id"]) for one in program.json(group, "list")] for group in ("events", "actions")}
    assert CODE.encode() in seen[0]
    return Shop(folder, ids, log)


ALL: Final = {tuple(name.split()): command for name, command in COMMANDS.items()}


def _values(parameter: Any, group: str, shop: Shop) -> list[str]:  # noqa: ANN401 - typer hides click's own class
    """Return what to call with: one value, or all the ids that there are."""
    metavar = (parameter.metavar or "").strip("[].")
    if "ID" in metavar and group in shop.ids:
        return shop.ids[group]
    return _VALUES.get(metavar) or _VALUES.get(parameter.name or "") or ["1"]


def calls(path: tuple[str, ...], command: typer.core.TyperCommand, shop: Shop) -> Iterator[list[str]]:
    """Yield the command lines to try: with each value of its argument, with and without --json."""
    options, arguments = list(_ENDING.get(path, ())), list[list[str]]()
    for parameter in command.params:
        if isinstance(parameter, typer.core.TyperArgument):
            arguments.append(_values(parameter, path[0], shop))
        elif parameter.name in _FLAGS:
            options.append(parameter.opts[0])
        elif parameter.required:
            options += [parameter.opts[0], _values(parameter, path[0], shop)[0]]
        elif parameter.name == "folder":
            options += [parameter.opts[0], f"new-{'-'.join(path)}"]
    has_json = any("--json" in parameter.opts for parameter in command.params)
    for number in range(max((len(values) for values in arguments), default=1)):
        words = [values[min(number, len(values) - 1)] for values in arguments]
        for as_json in ([], ["--json"]) if has_json else ([],):
            yield [*path, *words, *options, *as_json]


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["webhookctl", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def inside(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(shop.folder)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    with (shop.folder / "payload.json").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield shop


def _found_in(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [secret for secret in SECRETS if secret.encode() in data]


@pytest.mark.parametrize("path", sorted(set(ALL) - APART), ids=" ".join)
def test_no_command_shows_a_code(
    path: tuple[str, ...], inside: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is asked, in words and as JSON, on stdout and stderr; and no fault of ours ends it."""
    tried = list(calls(path, ALL[path], inside))
    codes = [_run(arguments, monkeypatch) for arguments in tried]

    out, err = capsys.readouterr()
    assert _found_in(out + err) == []
    assert 70 not in codes, err
    assert tried


def test_the_log_shows_no_code(shop: Shop) -> None:
    """Nor does what `serve --verbose` says of shops, programs and payloads that fail."""
    assert "ORD-1" in shop.log
    assert "answered 500" in shop.log
    assert "exit code 3" in shop.log
    assert _found_in(shop.log) == []


def test_no_file_holds_a_code(shop: Shop) -> None:
    """Neither the store nor its journal, nor anything else that was written; each is its owner's alone."""
    written = [file for file in shop.folder.iterdir() if file.is_file() and file.suffix not in {".json", ".toml"}]

    assert {"webhookctl.db"} <= {file.name for file in written}
    assert {file.name: _found_in(file.read_bytes()) for file in written if _found_in(file.read_bytes())} == {}
    assert {stat.S_IMODE(file.stat().st_mode) for file in written} == {0o600}


@pytest.mark.usefixtures("inside")
def test_what_is_searched_for_can_be_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`orders reveal` shows codes, writes down who looked before it does, and puts pictures into files."""
    out = tmp_path / "cards"
    reveal = ["orders", "reveal", "ORD-1", "--reason", "the customer lost it"]
    _run(reveal, monkeypatch)
    without = capsys.readouterr().out
    _run([*reveal, "--out", str(out)], monkeypatch)
    shown = capsys.readouterr().out
    again = _run([*reveal, "--out", str(out)], monkeypatch)
    _run([*reveal, "--json"], monkeypatch)
    as_json = capsys.readouterr().out
    _run(["orders", "show", "ORD-1"], monkeypatch)

    (picture,) = out.iterdir()
    assert "image/png, 176 bytes: --out DIR writes it to a file" in without
    assert str(picture) in shown
    assert all(CODE in text and PIN in text and PICTURE[:40] not in text for text in (without, shown, as_json))
    assert base64.b64encode(picture.read_bytes()).decode() == PICTURE
    assert (picture.name, stat.S_IMODE(picture.stat().st_mode)) == ("ORD-1-2.png", 0o600)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert again == 2
    assert capsys.readouterr().out.count("codes revealed to") == 4


@pytest.mark.parametrize("more", [[], ["--json"], ["--sign", "fresh"]], ids=" ".join)
def test_sending_elsewhere_shows_no_code(
    more: list[str], inside: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the target gets them, and repeats in an error all that it got: no line, no word and no file has one."""
    seen = list[bytes]()
    with HTTPServer("127.0.0.1") as server:
        server.expect_request("/").respond_with_handler(lambda request: _shop_answers(seen, request))
        to = ["--to", server.url_for("/"), "--max-failures", "0", "--yes", "--reason", "a test looks"]
        codes = [_run(["replay", *which, *to, *more], monkeypatch) for which in (["all"], ["payload.json"])]

    out, err = capsys.readouterr()
    files = list(inside.folder.glob("webhookctl.db*"))
    assert codes[0] == 4
    assert any(CODE.encode() in body for body in seen)
    assert _found_in(out + err) == []
    assert [_found_in(file.read_bytes()) for file in files if _found_in(file.read_bytes())] == []


@pytest.mark.usefixtures("inside")
def test_a_fault_of_ours_shows_no_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback's text could hold what the program stumbled over: only its kind and place are told."""

    def stumble(*_: object, **__: object) -> None:
        raise ValueError(f"what is {CODE}?")

    for of, target in ((wiring, "place"), (upkeeping, "looked_at"), (wiring, "handled_kinds")):
        with monkeypatch.context() as patch:
            patch.setattr(of, target, stumble)
            assert _run(["orders", "show", "ORD-1"], patch) == 70

    err = capsys.readouterr().err
    assert _found_in(err) == []
    assert err.count("This is a fault in webhookctl: ValueError at test_secrecy.py") == 3
