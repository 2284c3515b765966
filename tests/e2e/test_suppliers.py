"""Each supplier's preset, as it is printed for the settings file, takes the supplier's sample to its end."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from tests.e2e.program import PATIENCE_S, Program, Serving, free_port, until
from tests.supplier_samples import Sample, samples, signed
from webhookctl import suppliers
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import SqliteStore, open_store
from webhookctl.cli.preset_page import settings_text
from webhookctl.core.events import EventState
from webhookctl.core.orders import ActionKind, Move, Order, OrderStatus
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.outbox import ActionQuery

SAMPLES: Final = samples()
KEY: Final = bytes(range(32))
PLACES: Final = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[serve]
listen = "127.0.0.1:{port}"
"""
_REFERENCE: Final = re.compile(r'"env:([A-Z0-9_]+)"')
_REAL_API: Final = re.compile(r'^(base_url|token_url) = "https://.*"$', re.MULTILINE)


@dataclass(frozen=True)
class Shop:
    """What all samples were sent to, and how each was answered."""

    program: Program
    serving: Serving
    answers: dict[str, tuple[int, bytes]]

    @contextmanager
    def store(self) -> Iterator[SqliteStore]:
        with closing(open_store(self.program.folder / "shop.db", AesGcmCipher([KEY]), create=True)) as store:
            yield store


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One `serve` for all suppliers, their orders known beforehand, every sample sent and handled."""
    folder = tmp_path_factory.mktemp("shop")
    folder.chmod(0o700)
    (folder / "shop.key").write_text(KEY.hex())
    (folder / "shop.key").chmod(0o600)
    (folder / "webhookctl.toml").write_text(settings())
    program = Program(folder, environ())
    with program.serve() as serving:
        found = Shop(program, serving, {})
        with found.store() as store:
            register(store)
        for name, sample in SAMPLES.items():
            found.answers[name] = post(serving, sample)
        until(lambda: is_handled(found), "all samples are handled")
        yield found


def settings() -> str:
    """Return the settings: every preset as it is printed, but that nobody on the internet is asked from a test."""
    printed = "\n".join(settings_text(name) for name in SAMPLES)
    nowhere = _REAL_API.sub(rf'\1 = "http://127.0.0.1:{free_port()}"', printed)
    return PLACES.format(port=free_port()) + nowhere


def environ() -> dict[str, str]:
    """Return a value for each secret that the printed presets name."""
    texts = {name: settings_text(name) for name in SAMPLES}
    return {
        variable: SAMPLES[name].secret if variable.endswith("_SECRET") and "_API_" not in variable else "x" * 32
        for name, text in texts.items()
        for variable in _REFERENCE.findall(text)
    }


def register(store: SqliteStore) -> None:
    """Make the orders known that a supplier only speaks of by its own id, or that a mere hint must not create.

    They are as new as their webhooks: `serve` asks by itself, and gives up an order of a week ago.
    """
    now = time.time_ns() // 1_000_000
    for sample in SAMPLES.values():
        for number, order in enumerate(sample.orders):
            new = Order(sample.name, reference(sample, number), OrderStatus.PENDING, now, now, **order)  # type: ignore[arg-type] # a sample's order has texts only
            assert store.orders.write([Move(new)], now=now) == [True]


def reference(sample: Sample, number: int = 0) -> str:
    return f"R-{sample.name}{f'-{number}' if number else ''}"


def post(serving: Serving, sample: Sample) -> tuple[int, bytes]:
    headers, body = signed(sample)
    in_path = f"/{'x' * 32}" if suppliers.preset(sample.name)["kind"] == "none" else ""
    connection = http.client.HTTPConnection(serving.url.removeprefix("http://"), timeout=PATIENCE_S)
    with closing(connection):
        connection.request("POST", f"/webhooks/{sample.name}{in_path}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def is_handled(shop: Shop) -> bool:
    with shop.store() as store:
        events = store.events.find(EventQuery(limit=1000))
        return len(events) >= len(SAMPLES) and all(one.state is not EventState.QUEUED for one in events)


def test_every_supplier_has_a_sample() -> None:
    """The suppliers of digital goods are those with a sample; the other presets are general schemes."""
    assert len(SAMPLES) == 27
    assert set(SAMPLES) <= set(suppliers.names())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_comes_to_its_end(shop: Shop, name: str) -> None:
    """The order is fulfilled with its code, or due for asking, or a person is told that nobody can be asked."""
    sample = SAMPLES[name]
    key = (name, reference(sample))
    preset = suppliers.preset(name)
    with shop.store() as store:
        (event,) = store.events.find(EventQuery(supplier=name, limit=10))
        order = store.orders.get([key])[key]
        actions = [one.kind for one in store.outbox.find(ActionQuery(supplier=name, reference=key[1]))]

    assert shop.answers[name] == (preset.get("ack_status", 200), preset.get("ack_body", "").encode())
    assert event.state is EventState.DONE, event.error
    assert [item.code.reveal() for item in order.items if item.code] == sample.codes
    match sample.ends:
        case "fulfilled":
            assert (order.status, order.ask_at, order.held) == (OrderStatus.FULFILLED, None, None)
            assert actions == [ActionKind.DELIVER]
        case "asked":
            assert (order.status, order.held) == (OrderStatus.PENDING, None)
            assert order.ask_at is not None
        case "held":
            assert (order.status, order.ask_at) == (OrderStatus.PENDING, None)
            assert order.held or actions == [ActionKind.ALERT]
            assert event.error


def test_each_order_of_several_is_asked_for(shop: Shop) -> None:
    """Bitrefill's invoice speaks of two orders: both are due for asking, and the event names both."""
    with shop.store() as store:
        orders = store.orders.get([("bitrefill", "R-bitrefill"), ("bitrefill", "R-bitrefill-1")])
        (found,) = store.events.find(EventQuery(supplier="bitrefill", limit=10))
        event = store.events.get(str(found.id))

    assert len(orders) == 2
    assert all(order.ask_at is not None for order in orders.values())
    assert event is not None
    assert [one.reference for one in event.orders] == ["R-bitrefill", "R-bitrefill-1"]


def test_an_event_of_several_orders_is_shown_with_each(shop: Shop) -> None:
    """`events show` lists them, and what came of each; so does the story of each order."""
    (event,) = shop.program.json("events", "list", "--supplier", "bitrefill")
    page = shop.program.ok("events", "show", str(event["id"]))
    story = shop.program.json("orders", "show", "R-bitrefill-1")

    assert "R-bitrefill\t66b2f0d1c4\torder.fulfilled\tdone" in page
    assert "R-bitrefill-1\t66b2f0d1c5\torder.failed\tdone" in page
    assert [one["id"] for one in story["events"]] == [event["id"]]


def test_a_form_is_shown_with_its_code_masked(shop: Shop) -> None:
    """The fields of VIP Reseller's form stand where its mapping finds them; nobody sees the code."""
    (event,) = shop.program.json("events", "list", "--supplier", "vip-reseller")
    page = shop.program.json("events", "show", str(event["id"]))

    assert page["body"]["data"]["trxid"] == "VP260501X7"
    assert "77QX" not in json.dumps(page)


def test_no_code_of_a_sample_is_in_the_log(shop: Shop) -> None:
    """Whatever field a supplier puts it into."""
    codes = [code for sample in SAMPLES.values() for code in sample.codes]

    assert len(codes) >= 6
    assert [code for code in codes if code in shop.serving.words] == []


@pytest.mark.parametrize("name", [name for name in SAMPLES if suppliers.preset(name).get("head_ok")])
def test_a_supplier_that_probes_with_head_hears_200(shop: Shop, name: str) -> None:
    """Airalo and Zendit ask so before they send."""
    connection = http.client.HTTPConnection(shop.serving.url.removeprefix("http://"), timeout=PATIENCE_S)
    with closing(connection):
        connection.request("HEAD", f"/webhooks/{name}")

        assert connection.getresponse().status == 200
