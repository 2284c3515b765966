"""Registering many orders over the real store."""

from pathlib import Path

from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store
from webhookctl.core.orders import Policy, Registered
from webhookctl.flows.order_files import Line, Reading, read_csv
from webhookctl.flows.register import Register, import_lines

NOW = 1_800_000_000_000


def test_a_long_file_is_imported_in_parts(tmp_path: Path) -> None:
    """Twenty thousand lines: each once, in transactions that intake need not wait for, and the bar reaches the end."""
    tmp_path.chmod(0o700)
    lines = [b"reference,sku\n", *(f"ORD-{n},steam-20\n".encode() for n in range(20_000))]
    store = open_store(tmp_path / "shop.db", AesGcmCipher([b"k" * 32]), create=True)
    seen = list[Line]()
    reading = Reading(["acme"], lambda _: 1, "acme")

    register = Register(store.orders, {"acme": Policy()})
    report = import_lines(read_csv(lines, reading), register, clock=lambda: NOW, seen=seen.append)

    assert report.counts == {Registered.NEW: 20_000, Registered.KNOWN: 0, Registered.HELD: 0}
    assert report.refused == []
    assert store.reports.summary(now=NOW).orders == {"pending": 20_000}
    assert seen[-1].number == 20_001
    assert sum(line.size for line in seen) == sum(map(len, lines))
    store.close()
