"""Events of a store, sent again to targets of every kind over real sockets."""

import os
import threading
import time
from pathlib import Path

import pytest

from tests.resending.scene import BROKEN, CODE, LOOK, OK, Got, listening, make_shop
from webhookctl import wiring
from webhookctl.config import Settings, load
from webhookctl.core.deliveries import Delivery, Verified
from webhookctl.core.errors import NotFoundError, StoreBusyError, UsageError
from webhookctl.core.ports.replays import ReplayState
from webhookctl.core.signatures import verify
from webhookctl.wiring import now_ms, resending

HEADERS = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"user-agent", b"Supplier/7"),
    (b"x-trace", b"caf\xc3\xa9"),
    (b"x-latin", b"caf\xe9"),
    (b"host", b"hooks.shop.example"),
    (b"content-length", b"9999"),
    (b"transfer-encoding", b"chunked"),
    (b"connection", b"keep-alive, x-of-the-hop"),
    (b"x-of-the-hop", b"1"),
    (b"accept-encoding", b"gzip"),
)


def test_the_exact_bytes_go_with_the_headers_that_are_not_about_their_way(tmp_path: Path) -> None:
    """Body and signature as they came; Host, length, encoding and what concerned the old connection are new."""
    shop = make_shop(tmp_path, 3, HEADERS)
    with listening() as target:
        ended = shop.begin(target.url, headers=((b"x-added", b"a"), (b"x-trace", b"b")))

    assert (ended.counts, ended.left) == ({ReplayState.TAKEN: 3}, 0)
    assert {one.reference: one.body for one in target.got} == shop.bodies
    got = next(one for one in target.got if one.reference == "ORD-1")
    assert got.first == "POST /in HTTP/1.1"
    assert got.headers["host"] == target.url.split("/")[2]
    assert got.headers["content-length"] == str(len(got.body))
    assert got.headers["x-webhook-signature"].startswith("sha256=")
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert (got.headers["user-agent"], got.headers["x-added"], got.headers["x-trace"]) == ("Supplier/7", "a", "b")
    assert got.headers["accept-encoding"] == "identity"
    assert {"transfer-encoding", "connection", "x-of-the-hop", "x-latin"} & set(got.headers) == set()


def test_who_sends_is_written_down_at_each_event_before_the_first_byte(tmp_path: Path) -> None:
    """The target sees no request before every event's record is in the store."""
    shop = make_shop(tmp_path, 40)
    seen = list[int]()

    def answer(number: int, _got: Got) -> bytes:
        if number == 1:
            seen.extend(len(shop.looks(one)) for one in shop.numbers)
        return OK

    with listening(answer) as target:
        shop.begin(target.url, concurrency=1)

    assert seen == [1] * 40
    (look,) = shop.looks(40)
    assert (look.at, look.who, look.reason) == (LOOK.at, LOOK.who, f"sent to {target.url}: case 47")


def test_fresh_signatures_verify(tmp_path: Path) -> None:
    """`--sign fresh` signs the same bytes anew with the supplier's first secret, in the place of the old signature."""
    shop = make_shop(tmp_path, 2, ((b"x-signature", b"an older one"),))
    supplier = shop.settings.suppliers["demo"]
    keys = supplier.scheme.keys(shop.settings.read(supplier.secrets, os.environ))
    with listening() as target:
        shop.begin(target.url, sign="fresh")

    for got in target.got:
        headers = tuple((name.encode(), value.encode()) for name, value in got.headers.items())
        delivery = Delivery("demo", got.body, headers, now_ms(), b"")
        assert verify(delivery, supplier.scheme, keys, now=now_ms()).matched == "file:demo.secret"
        assert "x-signature" not in got.headers
    assert {one.reference: one.body for one in target.got} == shop.bodies


def test_it_stops_after_too_many_failures_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A target that breaks after ten gets no more than was on its way; resumed, it gets each of the others once."""
    shop = make_shop(tmp_path, 60)
    with listening(lambda number, _: OK if number <= 10 else BROKEN) as target:
        first = shop.begin(target.url, concurrency=4, max_failures=5)
        broken_at = len(target.got)
        taken = set(target.references[:10])
        target.answer = lambda _number, _got: OK
        second = shop.resume(first.replay_id)

    assert first.too_many_failures
    assert 5 <= first.failed <= 8
    assert broken_at == 10 + first.failed
    assert (first.left, second.left, second.counts) == (50, 0, {ReplayState.TAKEN: 50})
    assert sorted(target.references[broken_at:]) == sorted(set(shop.bodies) - taken)
    tries = {one.label: one.tries for one in shop.verdicts if one.state is ReplayState.TAKEN}
    assert sum(count == 2 for count in tries.values()) == first.failed


def test_a_resumed_replay_tries_the_untried_first(tmp_path: Path) -> None:
    """An event that the target can't take does not stand in the way of those behind it, each time anew."""
    shop = make_shop(tmp_path, 8)
    with listening(lambda _, got: BROKEN if got.reference in {"ORD-1", "ORD-2"} else OK) as target:
        first = shop.begin(target.url, concurrency=1, max_failures=1)
        second = shop.resume(concurrency=1, max_failures=1)
        third = shop.resume(concurrency=1, max_failures=1)

    assert target.references == ["ORD-1", "ORD-2", *(f"ORD-{number}" for number in range(3, 9)), "ORD-1"]
    assert (first.left, third.left) == (8, 2)
    assert second.failed == third.failed == 1


def test_what_is_cut_off_may_have_arrived_and_is_said_so(tmp_path: Path) -> None:
    """A target that dies with a request in its hands: the answer is unknown, and resuming sends it again."""
    shop = make_shop(tmp_path, 6)
    with listening(lambda number, _: None if number == 3 else OK) as target:
        first = shop.begin(target.url, concurrency=1)
        lost = target.got[2].reference
        counts = shop.states(first.replay_id or 0)
        second = shop.resume(concurrency=1)

    assert counts == {ReplayState.TAKEN: 5, ReplayState.UNKNOWN: 1}
    assert (first.left, second.left) == (1, 0)
    assert target.references[6:] == [lost]
    unknown = next(one for one in shop.verdicts if one.state is ReplayState.UNKNOWN)
    assert unknown.detail.endswith("closed the connection without an answer.")


def test_a_dead_target_is_not_sent_to(tmp_path: Path) -> None:
    """Where nobody listens nothing arrived: that is another verdict than no answer."""
    shop = make_shop(tmp_path, 3)
    with listening() as target:
        url = target.url
    ended = shop.begin(url, max_failures=0)

    assert ended.counts == {ReplayState.UNSENT: 3}


def test_redirects_are_refused_and_huge_answers_not_read(tmp_path: Path) -> None:
    """A redirect is an answer that is not 2xx; of an endless answer the status is enough."""
    shop = make_shop(tmp_path, 2)
    with listening() as elsewhere:
        redirect = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 1_000_000
        with listening(lambda _, got: redirect if got.reference == "ORD-1" else huge) as target:
            ended = shop.begin(target.url)

    assert ended.counts == {ReplayState.REFUSED: 1, ReplayState.TAKEN: 1}
    assert elsewhere.got == []
    refused = next(one for one in shop.verdicts if one.state is ReplayState.REFUSED)
    assert (refused.status, refused.detail) == (307, "answered 307, a redirect, which is not followed")


def test_a_slow_target_is_given_up_in_time(tmp_path: Path) -> None:
    """One that does not answer within --timeout leaves the answer unknown."""
    shop = make_shop(tmp_path, 1)
    end = threading.Event()

    def answer(_number: int, _got: Got) -> bytes:
        end.wait(20)
        return OK

    with listening(answer) as target:
        ended = shop.begin(target.url, timeout_s=0.3)
        end.set()

    assert ended.counts == {ReplayState.UNKNOWN: 1}
    assert shop.verdicts[0].detail == f"{target.url} did not answer within 0.3 s."


def test_the_rate_is_kept(tmp_path: Path) -> None:
    """Twenty at 40 a second take about half of a second, whatever the concurrency."""
    shop = make_shop(tmp_path, 21)
    with listening() as target:
        start = time.monotonic()
        shop.begin(target.url, per_second=40.0)
        took = time.monotonic() - start

    assert len(target.got) == 21
    assert took >= 0.45


def test_no_more_than_the_concurrency_are_on_their_way(tmp_path: Path) -> None:
    """At three at once the target never holds a fourth."""
    shop = make_shop(tmp_path, 20)
    at_once, most, lock = [0], [0], threading.Lock()

    def answer(_number: int, _got: Got) -> bytes:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.01)
        with lock:
            at_once[0] -= 1
        return OK

    with listening(answer) as target:
        shop.begin(target.url, concurrency=3)

    assert len(target.got) == 20
    assert 2 <= most[0] <= 3


def test_an_event_that_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    """What was pruned since it was chosen is said to be gone."""
    shop = make_shop(tmp_path, 3)
    shop.numbers.append(99)
    with listening() as target:
        ended = shop.begin(target.url)

    assert ended.counts == {ReplayState.TAKEN: 3, ReplayState.UNSENT: 1}
    assert next(one.detail for one in shop.verdicts if one.label == "99") == "it is not in the store any more."


def test_two_at_once_send_each_event_once(tmp_path: Path) -> None:
    """Whoever resumes a replay that is being sent is refused; its own end comes as if nobody had asked."""
    shop = make_shop(tmp_path, 30)
    errors = list[Exception]()

    def answer(number: int, _got: Got) -> bytes:
        if number == 5:
            try:
                _resume_elsewhere(shop.settings)
            except StoreBusyError as error:
                errors.append(error)
        return OK

    with listening(answer) as target, pytest.MonkeyPatch.context() as patch:
        patch.setattr(resending, "_LEASE_MS", 600)
        patch.setattr(resending, "_RENEW_S", 0.1)
        ended = shop.begin(target.url, concurrency=1)

    assert [str(error) for error in errors] == [
        f"Replay {ended.replay_id} is being sent by another process: let that come to its end."
    ]
    assert sorted(target.references) == sorted(shop.bodies)


def _resume_elsewhere(settings: Settings) -> None:
    """Claim as another process does."""
    with wiring.store(settings) as store, resending.claimed(store.replays, 1, resending.Watch(lambda _: None)):
        raise AssertionError("two have it")


def test_whoever_lost_the_claim_stops(tmp_path: Path) -> None:
    """A process that slept too long finds that another has its replay, and sends no more."""
    shop = make_shop(tmp_path, 60)

    def answer(number: int, _got: Got) -> bytes:
        if number == 3:
            with wiring.store(shop.settings) as store, store.connection.writing() as raw:
                raw.execute("UPDATE replays SET claim = 'another'")
        time.sleep(0.02)
        return OK

    with listening(answer) as target, pytest.MonkeyPatch.context() as patch:
        patch.setattr(resending, "_RENEW_S", 0.05)
        ended = shop.begin(target.url, concurrency=2)

    assert ended.taken_over
    assert len(target.got) < 60


def test_unknown_and_unfinished_replays_are_told(tmp_path: Path) -> None:
    """An unknown number, none at all, and one whose beginning was broken off are three sentences."""
    shop = make_shop(tmp_path, 1)
    with wiring.store(shop.settings) as store:
        broken_off = store.replays.begin("http://127.0.0.1:1", "as-received", LOOK)

    with pytest.raises(NotFoundError, match=r"There is no replay 77\."):
        resending.resumable(shop.settings, 77)
    with pytest.raises(NotFoundError, match="no replay that is not at its end"):
        resending.resumable(shop.settings, None)
    with pytest.raises(UsageError, match="broken off before anything was sent"):
        resending.resumable(shop.settings, broken_off)


def test_nothing_says_a_code(tmp_path: Path) -> None:
    """Neither a verdict nor what the store keeps of it, though the target repeats all that it was sent."""
    shop = make_shop(tmp_path, 3)

    def answer(number: int, got: Got) -> bytes:
        status = 200 if number == 1 else 500
        return b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n\r\n%b" % (status, CODE.encode(), len(got.body), got.body)

    with listening(answer) as target:
        shop.begin(target.url)

    assert CODE not in repr(shop.verdicts)
    files = [file for file in tmp_path.iterdir() if file.name.startswith("webhookctl.db")]
    assert all(CODE.encode() not in file.read_bytes() for file in files)


def test_who_cannot_sign_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """A supplier whose private key only he has, and one that the settings do not know."""
    (tmp_path / "webhookctl.toml").write_text(
        '[store]\nurl = "sqlite:webhookctl.db"\nkeys = ["file:webhookctl.key"]\n'
        '[suppliers.ed]\npreset = "standard-webhooks-ed25519"\nsecrets = ["env:NONE"]\n'
    )
    settings = load(tmp_path / "webhookctl.toml", {})
    wanted = resending.Wanted("http://127.0.0.1:1/", "fresh")

    with pytest.raises(UsageError, match="ed signs with a private key, which only the supplier has"):
        resending.route(settings, wanted, ["ed"])
    with pytest.raises(UsageError, match="There is no supplier 'demo' in the settings"):
        resending.route(settings, wanted, ["demo"])


def test_live_work_goes_first(tmp_path: Path) -> None:
    """While deliveries arrive no more than 200 a second are sent, however fast the target is."""
    shop = make_shop(tmp_path, 300)
    times = list[float]()

    def answer(number: int, _got: Got) -> bytes:
        times.append(time.monotonic())
        if number % 20 == 1:
            with wiring.store(shop.settings) as store:
                store.intake.accept([Verified(Delivery("demo", b"{}", (), now_ms(), bytes(16)), "x")])
        return OK

    with listening(answer) as target:
        ended = shop.begin(target.url)

    assert ended.counts == {ReplayState.TAKEN: 300}
    assert times[-1] - times[140] >= 0.6  # the beginning shows that there is live work


def test_what_opens_a_door_at_the_target_is_not_kept(tmp_path: Path) -> None:
    """A token in the query and a secret in the path are in no record, verdict or file; resuming needs them again."""
    shop = make_shop(tmp_path, 2)
    with listening(lambda number, _: OK if number == 1 else None) as target:
        url = target.url.replace("/in", "/webhooks/demo/0p3n-s3sam3?token=h1dd3n")
        ended = shop.begin(url, concurrency=1)
        found, _ = resending.resumable(shop.settings, ended.replay_id)

    name = target.url.replace("/in", "/webhooks/demo/…?…")
    assert target.got[0].first == "POST /webhooks/demo/0p3n-s3sam3?token=h1dd3n HTTP/1.1"
    assert (found.target, shop.looks(1)[0].reason) == (name, f"sent to {name}: case 47")
    assert shop.verdicts[1].detail == f"{name} closed the connection without an answer."
    files = [file.read_bytes() for file in tmp_path.iterdir() if file.name.startswith("webhookctl.db")]
    assert [word for word in (b"0p3n", b"h1dd3n") if any(word in data for data in files)] == []
