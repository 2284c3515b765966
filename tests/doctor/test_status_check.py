"""`status --check` as a monitor calls it, and how plain `status` ends."""

from contextlib import closing

import pytest

from tests.doctor.scene import KEY, Place
from tests.store.building import order, with_code
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.orders import Move


def hold_an_order(place: Place) -> None:
    cipher = AesGcmCipher([bytes.fromhex(KEY)])
    with closing(open_store(place.folder / "shop.db", cipher, create=True)) as store:
        store.orders.write([Move(with_code(order(), "CODE"))], now=1)
    place.run("orders", "hold", "ORD-1", "--reason", "it looks odd")


def test_a_shop_that_is_well(place: Place) -> None:
    """Both end with 0."""
    place.write()
    place.fill()

    code, said = place.run("status", "--check")

    assert (code, said.count("\n")) == (0, 1)
    assert said.startswith("WEBHOOKCTL OK - 0 orders")
    assert " | orders_held=0;;0;0 " in said
    assert place.run("status")[0] == 0


def test_a_person_must_decide(place: Place) -> None:
    """Critical for a monitor, 6 for a script; and all is shown."""
    place.write()
    hold_an_order(place)

    checked, shown = place.run("status", "--check"), place.run("status")

    assert (checked[0], shown[0]) == (2, 6)
    assert "WEBHOOKCTL CRITICAL - orders held: 1" in checked[1]
    assert "orders held" in shown[1]


@pytest.mark.parametrize(("content", "words"), [(None, "There is no store"), (b"no database" * 99, "no SQLite file")])
def test_a_store_that_can_not_be_used(place: Place, content: bytes | None, words: str) -> None:
    """Is critical: nothing can be received then."""
    place.write()
    if content:
        (place.folder / "shop.db").write_bytes(content)
        (place.folder / "shop.db").chmod(0o600)

    code, said = place.run("status", "--check")

    assert (code, said.count("\n"), words in said) == (2, 1, True), said
    assert said.startswith("WEBHOOKCTL CRITICAL - ")


def test_settings_that_can_not_be_used(place: Place) -> None:
    """Then nobody knows: unknown, on one line, though there are several faults."""
    none = place.run("status", "--check")
    place.write("[x]\ny = 1\n[z]\n")
    wrong = place.run("status", "--check")

    assert [(code, said.count("\n")) for code, said in (none, wrong)] == [(3, 1), (3, 1)]
    assert all(said.startswith("WEBHOOKCTL UNKNOWN - ") for _, said in (none, wrong))


def test_a_fault_of_ours_is_unknown(place: Place) -> None:
    """A monitor would take any other exit code for an answer."""
    place.write()
    place.fill()
    place.patch.setattr("webhookctl.wiring.health.line", lambda _: 1 / 0)

    code, said = place.run("status", "--check")

    assert (code, said.startswith("WEBHOOKCTL UNKNOWN - ZeroDivisionError at ")) == (3, True)
