"""Do limits come from the settings, and are HEAD and a full disk answered as they should be?"""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from webhookctl.adapters.free_space import FLOOR, FreeSpace, is_low
from webhookctl.config import Settings, load
from webhookctl.core.errors import SettingsError
from webhookctl.core.outcomes import NotStored, Stored
from webhookctl.server.limits import LOOPBACK, Limits

from .serving import Client, ask, door, raw, request, served
from .test_protocol import stored

SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["file:shop.key"]
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME"]
{supplier}
[serve]
{serve}
"""


def loaded(folder: Path, serve: str = "", supplier: str = "", **environ: str) -> Settings:
    file = folder / "webhookctl.toml"
    file.write_text(SETTINGS.format(serve=serve, supplier=supplier))
    return load(file, environ)


def test_the_limits_that_hold_unless_set(tmp_path: Path) -> None:
    """The settings' defaults are the server's own, so that both say the same."""
    serve, limits = loaded(tmp_path).serve, Limits()

    assert (serve.max_connections, serve.max_per_address) == (limits.connections, limits.per_address)
    assert serve.trusted_proxies == limits.trusted == LOOPBACK


def test_limits_are_set(tmp_path: Path) -> None:
    """By the file, and by the environment over it."""
    text = 'max_connections = 5000\nmax_per_address = 7\ntrusted_proxies = ["192.0.2.7", "2001:db8::/32"]'
    serve = loaded(tmp_path, text, WEBHOOKCTL_SERVE__MAX_PER_ADDRESS="9").serve

    assert (serve.max_connections, serve.max_per_address) == (5000, 9)
    assert serve.trusted_proxies == (ip_network("192.0.2.7/32"), ip_network("2001:db8::/32"))
    assert loaded(tmp_path, "trusted_proxies = []").serve.trusted_proxies == ()


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ("max_connections = 0", "serve.max_connections must be a whole number from 1"),
        ("max_connections = true", "serve.max_connections must be a whole number"),
        ("max_per_address = 1.5", "serve.max_per_address must be a whole number"),
        ("max_per_address = -1", "serve.max_per_address must be a whole number"),
        ("trusted_proxies = '127.0.0.1'", "serve.trusted_proxies must be a list of addresses"),
        ("trusted_proxies = ['proxy.example']", "serve.trusted_proxies must be a list of addresses"),
        ("trusted_proxies = [2130706433]", "serve.trusted_proxies must be a list of addresses"),
        ("trusted_proxies = ['10.0.0.1/8']", "a network's address ends in zeros"),
    ],
)
def test_limits_that_can_not_be(tmp_path: Path, serve: str, words: str) -> None:
    """Each is refused with its key and what it must be."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, serve)

    assert words in str(caught.value)


def test_head_is_the_suppliers_to_set(tmp_path: Path) -> None:
    """Off unless set; true or false and nothing else."""
    assert not loaded(tmp_path).suppliers["acme"].answers_head
    assert loaded(tmp_path, supplier="head_ok = true").suppliers["acme"].answers_head
    with pytest.raises(SettingsError, match=r"suppliers.acme.head_ok must be true or false"):
        loaded(tmp_path, supplier="head_ok = 1")


@pytest.mark.parametrize("head_ok", [True, False])
def test_head(*, head_ok: bool) -> None:
    """200 or 405 for a probe, without a body; GET is never more than 405."""
    with served(stored, acme=door(head_ok=head_ok)) as server:
        said = {method: spoken(server.port, method) for method in ("HEAD", "GET")}

    assert said["HEAD"].startswith(b"HTTP/1.1 200 " if head_ok else b"HTTP/1.1 405 ")
    assert said["HEAD"].endswith(b"\r\n\r\n")
    assert said["GET"].startswith(b"HTTP/1.1 405 ")
    assert server.outcomes == []


def spoken(port: int, method: str) -> bytes:
    with Client(port) as client:
        client.send(raw(f"{method} /webhooks/acme"))
        heard = b""
        while chunk := client.sock.recv(65536):
            heard += chunk
    return heard


def test_a_disk_without_room_is_503() -> None:
    """A proven delivery is asked to come again and not stored; what isn't proven is 400 as ever; then all goes on."""
    full = [True]
    with served(stored, is_full=lambda: full[0]) as server:
        answer = ask(server.port, request(b"{}"))
        unsigned = ask(server.port, raw("POST /webhooks/acme", body=b"{}"))
        full[0] = False
        again = ask(server.port, request(b"{}"))

    assert (answer.status, answer.headers["retry-after"], unsigned.status, again.status) == (503, "5", 400, 200)
    refused, _, kept = server.outcomes
    assert isinstance(refused, NotStored)
    assert "hardly any space left" in refused.reason
    assert kept == Stored("acme")


def test_the_floor_of_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """64 MiB or a twentieth of the disk, whichever is less; a disk that can't be asked is not called full."""
    found: dict[str, int] = {}

    class Disk:
        f_frsize = 4096

        @property
        def f_bavail(self) -> int:
            return found["free"] // 4096

        @property
        def f_blocks(self) -> int:
            return found["total"] // 4096

    monkeypatch.setattr("os.statvfs", lambda _: Disk())
    verdicts = dict[tuple[int, int], bool]()
    for total, free in ((1 << 40, FLOOR), (1 << 40, FLOOR - 4096), (20 * 8192, 8192), (20 * 8192, 4096)):
        found.update(total=total, free=free)
        verdicts[total, free] = is_low(tmp_path)
    monkeypatch.undo()

    assert list(verdicts.values()) == [False, True, False, True]
    assert not is_low(tmp_path / "none")


def test_the_disk_is_asked_once_a_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many deliveries want to know; and what it said holds for that second only."""
    asked, now = list[Any](), [0.0]

    def answer(path: Path) -> bool:
        asked.append(path)
        return len(asked) == 1

    monkeypatch.setattr("webhookctl.adapters.free_space.is_low", answer)
    space = FreeSpace(tmp_path, clock=lambda: now[0])
    first = [space.is_low() for _ in range(100)]
    now[0] = 1.0

    assert (set(first), space.is_low(), asked) == ({True}, False, [tmp_path] * 2)
