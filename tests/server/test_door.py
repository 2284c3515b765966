"""How each supplier comes in, beside its signature: from where, by which path, and what it hears."""

import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from webhookctl.core.challenges import Challenge
from webhookctl.core.deliveries import Verified
from webhookctl.core.errors import Reason
from webhookctl.core.outcomes import Challenged, Stored
from webhookctl.core.quarantine import Rejection
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.server import answers
from webhookctl.server.receiver import SupplierDoor
from webhookctl.server.senders import sender_of

from .serving import SECRET, Client, Response, ask, door, raw, request, served

PATH_SECRETS = (Secret(b"new-path-secret-0123", "env:NEW"), Secret(b"old-path-secret-0123", "env:OLD"))
PROXIES = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1"))
ALLOWED = (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))


class Intake:
    """Remembers what was proven."""

    def __init__(self) -> None:
        self.taken: list[Verified] = []

    def accept(self, batch: Sequence[Verified]) -> list[Stored]:
        self.taken += batch
        return [Stored(verified.delivery.supplier) for verified in batch]


def neutral(answer: Response) -> tuple[int, dict[str, str], bytes]:
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body


REJECTED = (400, {"content-type": "text/plain", "content-length": "9"}, b"rejected\n")


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7, 10.0.0.1"], "203.0.113.7"),
        ("127.0.0.1", ["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
        ("127.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:127.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7, nobody"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7,"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7" + ", 10.0.0.1" * 100], "10.0.0.1"),
        ("127.0.0.1", ["\xe9\xff"], "127.0.0.1"),
        ("", ["203.0.113.7"], ""),
    ],
)
def test_who_sent_it(peer: str, forwarded: list[str], sender: str) -> None:
    """The last address that none of our proxies has; what a stranger writes before it, or instead, is worth nothing."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]

    assert sender_of({"client": (peer, 1) if peer else None, "headers": headers}, PROXIES) == sender


def test_only_from_allowed_addresses() -> None:
    """A good signature from elsewhere is rejected like a bad one, and told to us."""
    intake, rejected = Intake(), list[Rejection]()
    with served(
        intake.accept, acme=replace(door(), allowed=ALLOWED), trusted=PROXIES, quarantine=rejected.append
    ) as server:
        assert ask(server.port, request(b"1", "X-Forwarded-For: 203.0.113.7")).status == 200
        assert ask(server.port, request(b"2", "X-Forwarded-For: 2001:db8::7")).status == 200
        spoofed = ask(server.port, request(b"3", "X-Forwarded-For: 203.0.113.7, 198.51.100.1"))
        direct = ask(server.port, request(b"4"))

    assert neutral(spoofed) == neutral(direct) == REJECTED
    assert [one.delivery.body for one in intake.taken] == [b"1", b"2"]
    assert [(one.reason, one.sender) for one in rejected] == [
        (Reason.NOT_ALLOWED_IP, "198.51.100.1"),
        (Reason.NOT_ALLOWED_IP, "127.0.0.1"),
    ]
    assert "198.51.100.1" in rejected[0].detail


def test_nobody_but_a_proxy_is_believed() -> None:
    """Where we are reached directly, X-Forwarded-For says nothing."""
    intake = Intake()
    with served(intake.accept, acme=replace(door(), allowed=ALLOWED), trusted=PROXIES[1:]) as server:
        assert ask(server.port, request(b"1", "X-Forwarded-For: 203.0.113.7")).status == 400

    assert intake.taken == []


def unsigned(**keys: Any) -> SupplierDoor:  # noqa: ANN401 - a door's own fields
    """A supplier whose only secret is a part of its path; it signs as well, which here nobody asks for."""
    return replace(door(), path_secrets=PATH_SECRETS, **keys)


def test_a_secret_in_the_path() -> None:
    """Any of several will do, no other path leads in, and a wrong one is kept with the rest of what came."""
    intake, rejected = Intake(), list[Rejection]()
    wrong = ["/webhooks/acme", "/webhooks/acme/", "/webhooks/acme/wrong", "/webhooks/acme/new-path-secret-012"]
    with served(intake.accept, acme=unsigned(), quarantine=rejected.append) as server, Client(server.port) as client:
        for secret in PATH_SECRETS:
            path = f"/webhooks/acme/{secret.value.decode()}"
            assert client.ask(request(secret.value, path=path)).status == 200
        answered = [neutral(client.ask(request(b"x", path=path))) for path in wrong]
        assert ask(server.port, request(b"x", path="/webhooks/acme/new-path-secret-0123/x")).status == 404
        assert ask(server.port, request(b"x", path="/webhooks/other/new-path-secret-0123")).status == 404

    assert answered == [REJECTED] * 4
    assert [one.delivery.body for one in intake.taken] == [secret.value for secret in PATH_SECRETS]
    assert [one.presented for one in rejected] == [b"", b"", b"wrong", b"new-path-secret-012"]
    assert {one.reason for one in rejected} == {Reason.MISMATCH}
    assert "env:NEW, env:OLD" in rejected[0].detail


def test_the_secret_in_the_path_is_told_to_nobody() -> None:
    """Neither ours nor a wrong one stands in what is logged or printed of a rejection."""
    rejected = list[Rejection]()
    with served(Intake().accept, acme=unsigned(), quarantine=rejected.append) as server:
        ask(server.port, request(b"x", path="/webhooks/acme/a-wrong-path-secret"))
        ask(server.port, raw("POST /webhooks/acme/new-path-secret-0123", body=b"unsigned"))

    shown = repr(server.outcomes) + repr(rejected) + repr(server.refused)
    assert len(rejected) == 2
    assert "path-secret" not in shown


def test_what_a_supplier_hears() -> None:
    """Its own status and words where it asks for them, for what is stored and for a repeat alike; 204 has no length."""
    worded = replace(door(), stored=answers.acknowledging(201, '{"response":"success"}', "application/json"))
    silent = replace(door(), stored=answers.acknowledging(204))
    with served(Intake().accept, acme=worded) as server, Client(server.port) as client:
        said = [neutral(client.ask(request(b"{}"))) for _ in range(2)]
    with served(Intake().accept, acme=silent) as server, Client(server.port) as client:
        client.send(request(b"{}"))
        nothing = client.sock.recv(65536)
        client.send(raw("POST /webhooks/acme", body=b"{}"))
        again = client.sock.recv(65536)

    headers = {"content-type": "application/json", "content-length": "22"}
    assert said == [(201, headers, b'{"response":"success"}')] * 2
    assert nothing.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in nothing.lower()
    assert nothing.endswith(b"\r\n\r\n")
    assert again.startswith(b"HTTP/1.1 400 ")


def test_slack_asks_whether_we_are_there() -> None:
    """Answered with its own words once it has proven who asks, and stored as no event; what only looks alike is one."""
    intake = Intake()
    question = json.dumps({"token": "t", "challenge": "3eZbrw1a", "type": "url_verification"}).encode()
    alike = [b'{"type": "message", "text": "url_verification"}', b'["url_verification"]', b"url_verification"]
    with served(intake.accept, acme=replace(door(), challenge=Challenge.SLACK)) as server:
        said = neutral(ask(server.port, request(question)))
        forged = neutral(ask(server.port, raw("POST /webhooks/acme", body=question)))
        assert [ask(server.port, request(body)).status for body in alike] == [200] * 3
        assert ask(server.port, request(question.ljust(5000))).status == 200

    assert said == (200, {"content-type": "text/plain", "content-length": "8"}, b"3eZbrw1a")
    assert forged == REJECTED
    assert [one.delivery.body for one in intake.taken] == [*alike, question.ljust(5000)]
    assert server.outcomes[0] == Challenged("acme")


def test_zoom_asks_for_its_token_signed() -> None:
    """The answer holds the token and its HMAC under the secret that the question was signed with."""
    question = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZ"}}).encode()
    with served(Intake().accept, acme=replace(door(), challenge=Challenge.ZOOM)) as server:
        answer = ask(server.port, request(question))

    signed = hmac.digest(SECRET, b"qgg8vlvZ", "sha256").hex()
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {"plainToken": "qgg8vlvZ", "encryptedToken": signed}


@pytest.mark.parametrize("body", [b'{"event":"endpoint.url_validation","payload":{"plainToken":7}}', b"{}", b"[]"])
def test_what_is_no_question_is_an_event(body: bytes) -> None:
    """A challenge of another shape is stored as whatever it is."""
    intake = Intake()
    with served(intake.accept, acme=replace(door(), challenge=Challenge.ZOOM)) as server:
        assert ask(server.port, request(body)).body == b""

    assert len(intake.taken) == 1


def test_get_is_answered_where_the_supplier_asks_so() -> None:
    """With the code that it gave, as text; POST goes on as ever, and nobody else's GET is answered."""
    asking = replace(door(), on_get=answers.repeating("d41d8cd9"))
    with served(Intake().accept, acme=asking) as server:
        said = ask(server.port, raw("GET /webhooks/acme"))
        assert ask(server.port, request(b"{}")).status == 200
        assert ask(server.port, raw("PUT /webhooks/acme")).status == 405

    assert (said.status, said.headers["content-type"], said.body) == (200, "text/plain", b"d41d8cd9")


TIMED = Scheme.parse(
    {
        "signature_header": "X-Webhook-Signature",
        "timestamp_header": "X-Time",
        "signed": "{timestamp}.{body}",
        "tolerance": "1ms",
    }
)


def timed(timestamp: str) -> list[str]:
    signature = hmac.digest(SECRET, f"{timestamp}.{{}}".encode("latin-1"), "sha256").hex()
    return [f"X-Webhook-Signature: {signature}", f"X-Time: {timestamp}"]


CAUSES = {
    "missing_header": [],
    "malformed": ["X-Webhook-Signature: zz", "X-Time: 1"],
    "mismatch": ["X-Webhook-Signature: " + "0" * 64, "X-Time: 1"],
    "twice": [*timed("1"), timed("1")[0]],
    "no time": timed("1")[:1],
    "no number": timed("\xb2\xb3"),
    "too long a number": timed("1" * 400),
    "too_old": timed("0"),
    "in_future": timed("9999999999"),
}


@pytest.mark.parametrize("cause", [*CAUSES, "not_allowed_ip", "path"])
def test_every_cause_is_answered_alike(cause: str) -> None:
    """Byte for byte: whoever guesses learns nothing. And each is kept, as it came."""
    rejected = list[Rejection]()
    acme = SupplierDoor("acme", TIMED, door().keys)
    if cause == "not_allowed_ip":
        acme = replace(acme, allowed=ALLOWED)
    elif cause == "path":
        acme = replace(acme, path_secrets=PATH_SECRETS)
    headers = CAUSES.get(cause, timed("1"))
    with served(Intake().accept, acme=acme, quarantine=rejected.append) as server:
        answer = ask(server.port, raw("POST /webhooks/acme", *headers, body=b"{}"))

    assert neutral(answer) == REJECTED
    (one,) = rejected
    assert (one.delivery.body, one.sender) == (b"{}", "127.0.0.1")
    assert cause not in set(Reason) or one.reason == cause
    assert [value for name, value in one.delivery.headers if name in {b"x-time", b"x-webhook-signature"}] == [
        header.partition(": ")[2].encode("latin-1") for header in headers
    ]
