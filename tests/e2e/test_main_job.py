"""The main job as the README tells it, with processes and real HTTP."""

import http.client
import json
import signal
import stat
import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from tests.e2e.program import Program, free_port, until

CODE = "XXXXX-YYYYY-ZZZZZ"


@pytest.fixture
def demo(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


def story(program: Program) -> dict[str, object]:
    page = program.json("orders", "show", "ORD-12345")
    assert isinstance(page, dict)
    return page


def action(program: Program, kind: str) -> dict[str, object]:
    return next(one for one in program.json("actions", "list") if one["kind"] == kind)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_from_nothing(demo: Program, address: str, how: signal.Signals) -> None:
    """No settings: serve says where and how, two sends make a fulfilled order, a signal drains and exits 0."""
    with demo.serve("--listen", address) as serving:
        url = f"http://{address}/webhooks/demo"
        first = demo.ok("send", "order.created", "--url", url)
        second = demo.ok("send", "order.fulfilled", "--url", url)
        until(lambda: story(demo)["status"] == "fulfilled", "the order is fulfilled")
        shown = demo.ok("orders", "show", "ORD-12345")
        code = serving.stop(how)
    words = serving.words

    assert (first, second) == ("200 kept: order.created ORD-12345\n", "200 kept: order.fulfilled ORD-12345\n")
    assert code == 0
    assert f"Listening on http://{address}" in words
    assert "-m webhookctl send order.created" in words
    assert "webhookctl.db" in words
    assert "2 deliveries" in words
    assert "deliver asked for: waiting for a handler: set [actions.deliver]" in shown
    assert "•••••-•••••-ZZ" in shown
    for name in ("webhookctl.db", "webhookctl.key", "demo.secret"):
        assert stat.S_IMODE((demo.folder / name).stat().st_mode) == 0o600
    everything = words + shown + str(demo.json("events", "show", "2")) + demo.ok("status") + demo.ok("actions", "list")
    assert CODE not in everything
    assert all(CODE.encode() not in file.read_bytes() for file in demo.folder.iterdir())


def test_what_a_wrong_signature_gets(demo: Program, address: str) -> None:
    """A body that was changed after signing is rejected, and nothing of it is stored."""
    with demo.serve("--listen", address):
        done = demo.run("send", "order.created", "--tamper", "--url", f"http://{address}/webhooks/demo")

        assert done.returncode == 1
        assert done.stdout.startswith(b"400 rejected")
        assert demo.json("events", "list") == []


def test_a_signature_in_the_body(demo: Program, address: str) -> None:
    """A supplier that can only sign inside its JSON is served too."""
    with demo.serve("--listen", address):
        demo.ok("send", "order.fulfilled", "--in-body", "--url", f"http://{address}/webhooks/demo")
        until(lambda: demo.json("orders", "list") != [], "the order is known")

        assert story(demo)["status"] == "fulfilled"


def test_signed_nonsense_is_kept_and_the_next_event_handled(demo: Program, address: str) -> None:
    """What is signed but can't be read is answered 200 and shown as dead or ignored with its reason."""
    url = f"http://{address}/webhooks/demo"
    nonsense = {b"not json": "not JSON", b"{}": "no event type", b'{"event":"news"}': "says nothing about an order"}
    with demo.serve("--listen", address):
        for body in nonsense:
            assert demo.run("send", "-", "--url", url, stdin=body).returncode == 0
        demo.ok("send", "order.created", "--url", url)
        until(lambda: all(one["state"] != "queued" for one in demo.json("events", "list")), "all are handled")
        events = demo.json("events", "list")

    assert [one["state"] for one in events] == ["done", "ignored", "dead", "dead"]
    for event, words in zip(reversed(events[1:]), nonsense.values(), strict=True):
        assert words in event["reason"]


def test_duplicates_are_answered_and_not_applied_twice(demo: Program, address: str) -> None:
    """The same bytes again get 200, no second row and no second effect, also after a restart."""
    url = f"http://{address}/webhooks/demo"
    body = json.dumps({"event": "order.failed", "data": {"reference": "R1"}}).encode()
    for _ in range(2):
        with demo.serve("--listen", address) as serving:
            for _ in range(3):
                assert demo.run("send", "-", "--url", url, stdin=body).returncode == 0
            until(lambda: all(one["state"] != "queued" for one in demo.json("events", "list")), "all are handled")
            serving.stop(signal.SIGTERM)
    status = demo.json("status")

    assert status["events"] == {"done": 1, "duplicate": 1}
    assert status["repeats_answered"] == 4
    assert sorted(status["actions"]) == ["alert", "refund"]


def test_reveal_is_recorded_before_it_is_shown(demo: Program, address: str) -> None:
    """The code comes in clear only by name and with a reason, and the story says who looked."""
    with demo.serve("--listen", address):
        demo.ok("send", "order.fulfilled", "--url", f"http://{address}/webhooks/demo")
        until(lambda: demo.json("orders", "list") != [], "the order is known")
        refused = demo.run("orders", "reveal", "ORD-12345", "--reason", " ")
        revealed = demo.ok("orders", "reveal", "ORD-12345", "--reason", "customer lost the mail")
        shown = demo.ok("orders", "show", "ORD-12345")

    assert refused.returncode == 2
    assert CODE.encode() not in refused.stdout + refused.stderr
    assert CODE in revealed
    assert "codes revealed to" in shown
    assert "customer lost the mail" in shown


SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[serve]
listen = "{address}"
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME_SECRET"]
{actions}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Program:
    (tmp_path / "shop.key").write_text("0f" * 32)
    (tmp_path / "shop.key").chmod(0o600)
    secrets = {
        "ACME_SECRET": "acme-secret-0123456789",
        "SHOP_SECRET": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
    }
    return Program(tmp_path, secrets)


def configure(program: Program, address: str, actions: str) -> None:
    (program.folder / "webhookctl.toml").write_text(SETTINGS.format(address=address, actions=actions))


def test_the_shop_gets_a_signed_post(shop: Program, address: str, httpserver: HTTPServer) -> None:
    """An independent library verifies what the shop's endpoint gets; the same id comes again after a 500."""
    seen: list[tuple[str, dict[str, object]]] = []

    def endpoint(request: Request) -> Response:
        verified = Webhook(shop.environ["SHOP_SECRET"]).verify(request.get_data(), dict(request.headers))
        seen.append((request.headers["webhook-id"], verified))
        return Response(status=500 if len(seen) == 1 else 204)

    httpserver.expect_request("/deliveries").respond_with_handler(endpoint)
    url = httpserver.url_for("/deliveries")
    retry = 'retry = { first = "100ms" }'
    configure(shop, address, f'[actions.deliver]\nhttp = "{url}"\nsecret = "env:SHOP_SECRET"\n{retry}')
    with shop.serve():
        shop.ok("send", "order.fulfilled")
        until(lambda: len(seen) == 2, "it is tried again")
        until(lambda: action(shop, "deliver")["state"] == "done", "the delivery is done")

    assert seen[0] == seen[1]
    assert seen[0][0] == seen[0][1]["id"] == action(shop, "deliver")["id"]
    order = seen[0][1]["order"]
    assert isinstance(order, dict)
    assert order["items"] == [{"sku": "steam-20-usd", "code": CODE, "pin": None}]


def test_a_command_and_the_log(shop: Program, address: str) -> None:
    """A command gets the document on stdin; the log gets a line; neither shows a code."""
    script = shop.folder / "deliver.py"
    script.write_text("import sys; open('delivered.json', 'w').write(sys.stdin.read()); print('took it')")
    command = json.dumps([sys.executable, str(script)])
    configure(shop, address, f"[actions.deliver]\ncommand = {command}\n[actions.refund]\nlog = true")
    with shop.serve() as serving:
        shop.ok("send", "order.fulfilled")
        shop.ok("send", "order.failed", "--set", "reference=ORD-2")
        until(lambda: action(shop, "deliver")["state"] == "done", "the command is done")
        until(lambda: action(shop, "refund")["state"] == "done", "the refund is in the log")
        serving.stop(signal.SIGTERM)

    assert json.loads((shop.folder / "delivered.json").read_text())["order"]["items"][0]["code"] == CODE
    assert "ORD-2" in serving.words
    assert CODE not in serving.words


def test_work_once_does_what_serve_left(shop: Program, address: str) -> None:
    """A receiver without a worker only keeps; `work --once` drains and leaves."""
    configure(shop, address, "[actions.deliver]\nlog = true")
    with shop.serve("--no-worker") as serving:
        shop.ok("send", "order.fulfilled")
        serving.stop(signal.SIGTERM)
    before = shop.json("status")
    shop.ok("work", "--once")
    after = shop.json("status")

    assert before["events"] == {"queued": 1}
    assert after["events"] == {"done": 1}
    assert after["actions"] == {"deliver": {"done": 1}}


def test_work_once_ends_with_6_where_a_person_is_newly_needed(shop: Program, address: str) -> None:
    """What it held is told by the exit code once, and by `status` until it is decided; the clocks run there too."""
    configure(shop, address, '[actions.deliver]\nlog = true\n[alarms]\nundelivered_after = "1ms"')
    with shop.serve("--no-worker") as serving:
        shop.ok("send", "order.failed")
        shop.ok("send", "order.fulfilled")
        serving.stop(signal.SIGTERM)

    first = shop.run("work", "--once")
    second = shop.run("work", "--once")
    needs = shop.json("status")["needs_a_person"]
    shop.ok("orders", "release", "ORD-12345", "--reason", "the supplier says it is good")
    shop.ok("work", "--once")

    assert (first.returncode, second.returncode) == (6, 0)
    assert "A person is needed" in first.stderr.decode()
    assert needs == {"actions held": 2}
    assert action(shop, "deliver")["state"] == "done"
    assert action(shop, "refund")["state"] == "cancelled"


def test_the_admin_listener_is_there_where_it_is_set(shop: Program, address: str) -> None:
    """Health answers, an order is registered, and a taken port is the first thing that is said."""
    port = free_port()
    shop.environ |= {"ADMIN_TOKEN": "0123456789abcdef", "WEBHOOKCTL_SERVE__ADMIN": f"127.0.0.1:{port}"}
    shop.environ |= {"WEBHOOKCTL_SERVE__ADMIN_TOKEN": "env:ADMIN_TOKEN"}
    configure(shop, address, "[actions.deliver]\nlog = true")
    with shop.serve() as serving:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/orders", '{"reference": "ORD-7"}', {"Authorization": "Bearer 0123456789abcdef"})
        status = connection.getresponse().status
        connection.close()
        shop.environ["WEBHOOKCTL_SERVE__LISTEN"] = f"127.0.0.1:{free_port()}"
        taken = shop.run("serve")
        del shop.environ["WEBHOOKCTL_SERVE__LISTEN"]
        ended = serving.stop(signal.SIGTERM)

    assert (status, ended) == (201, 0)
    assert shop.json("orders", "show", "ORD-7")["status"] == "pending"
    assert (taken.returncode, b"with [serve] admin" in taken.stderr) == (3, True)


def test_dead_actions_can_be_tried_again(shop: Program, address: str) -> None:
    """A command that failed is dead, is shown as needing a person, and goes on with the same id once mended."""
    flag = shop.folder / "mended"
    command = json.dumps([sys.executable, "-c", f"import os, sys; sys.exit(not os.path.exists({str(flag)!r}))"])
    configure(shop, address, f"[actions.deliver]\ncommand = {command}")
    with shop.serve():
        shop.ok("send", "order.fulfilled")
        until(lambda: action(shop, "deliver")["state"] == "dead", "the command fails")
        dead = action(shop, "deliver")
        needs = shop.json("status")["needs_a_person"]
        flag.touch()
        shop.ok("actions", "retry", str(dead["id"]))
        until(lambda: action(shop, "deliver")["state"] == "done", "it is tried again")
        again = shop.run("actions", "retry", str(dead["id"]))

    assert needs == {"actions dead": 1}
    assert action(shop, "deliver")["id"] == dead["id"]
    assert again.returncode == 2
    assert b"only what is dead or waiting" in again.stderr


@pytest.fixture
def broken(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status",), 3, "no settings"),
        (("--config", "none.toml", "status"), 3, "none.toml"),
        (("orders", "show", "X"), 3, "no settings"),
        (("send", "order.nothing"), 2, "neither a sample"),
        (("nothing",), 2, "No such command"),
        (("events", "list", "--since", "yesterday"), 2, "can't be read"),
        (("events", "list", "--since", "1h", "--until", "2h"), 2, "lies after"),
        (("events", "list", "--state", "lost"), 2, "lost"),
        (("serve", "--listen", "0.0.0.0:1"), 3, "on this machine only"),
        (("serve", "--listen", "nowhere"), 3, "--listen"),
    ],
)
def test_bad_input_gets_a_sentence(broken: Program, arguments: tuple[str, ...], code: int, words: str) -> None:
    """A sentence, an exit code, no traceback, nothing written."""
    done = broken.run(*arguments)

    assert done.returncode == code, done.stderr
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert list(broken.folder.iterdir()) == []


def test_a_taken_port(demo: Program, address: str) -> None:
    """The second serve says that the port is taken, and the first goes on."""
    with demo.serve("--listen", address) as first:
        second = demo.run("serve", "--listen", address)

        assert second.returncode == 3
        assert address.encode() in second.stderr
        assert b"Traceback" not in second.stderr
        assert first.process.poll() is None


def test_an_unknown_order_event_action(demo: Program, address: str) -> None:
    """Nothing of that name: the answer is no, in words."""
    with demo.serve("--listen", address) as serving:
        serving.stop(signal.SIGTERM)

    for arguments in (("orders", "show", "X"), ("events", "show", "99"), ("actions", "show", "abc")):
        done = demo.run(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(b"There is no ")


def test_terminal_escapes_are_shown_escaped(demo: Program, address: str) -> None:
    """What a supplier writes can't act on the terminal, nor a mark-up language of ours."""
    evil = "\x1b]0;owned\x07[red]\u202e[/x]"
    body = json.dumps({"event": "order.created", "data": {"reference": evil}}).encode()
    with demo.serve("--listen", address):
        assert demo.run("send", "-", "--url", f"http://{address}/webhooks/demo", stdin=body).returncode == 0
        until(lambda: demo.json("orders", "list") != [], "the order is known")
        shown = demo.ok("orders", "list") + demo.ok("events", "show", "1") + demo.ok("orders", "show", evil)

    assert "\\x1b]0;owned\\x07[red]\\u202e[/x]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
