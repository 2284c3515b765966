"""A shop in a folder, its servers, and `doctor` run in the program's place."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import free_port
from tests.store.building import arrive
from webhookctl import cli
from webhookctl.adapters.cipher_aesgcm import AesGcmCipher
from webhookctl.adapters.store_sqlite import open_store

KEY = "17" * 32
SECRETS = {
    "ACME_SECRET": "b8c1f0e97a6d5432b8c1f0e97a6d5432-acme",
    "SHOP_SECRET": "whsec_c2hvcC1zZWNyZXQtb2YtdGhpcnR5LXR3by1ieXRlcyE=",
    "ACME_TOKEN": "token-of-acme-73c1",
    "STORE_KEY": KEY,
}
SETTINGS = """
[store]
url = "sqlite:shop.db"
keys = ["env:STORE_KEY"]
[serve]
listen = "127.0.0.1:{port}"
{serve}
[suppliers.acme]
preset = "stripe"
secrets = ["env:ACME_SECRET"]
[suppliers.acme.map]
reference = "/data/reference"
status = "/data/status"
{more}
"""
API = """
[suppliers.acme.api]
base_url = "{url}"
order = "/orders/{{order_id}}"
auth = {{ bearer = "env:ACME_TOKEN" }}
map = {{ order_id = "/id", status = "/status" }}
"""
DELIVER = """
[actions.deliver]
http = "{url}"
secret = "env:SHOP_SECRET"
"""


@dataclass
class Place:
    """The folder, and how the program is run in it."""

    folder: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    port: int = field(default_factory=free_port)

    def write(self, *more: str, serve: str = "") -> None:
        (self.folder / "webhookctl.toml").write_text(SETTINGS.format(port=self.port, serve=serve, more="\n".join(more)))

    def fill(self, *numbers: int) -> None:
        """Make the store, and put events into it."""
        cipher = AesGcmCipher([bytes.fromhex(KEY)])
        with closing(open_store(self.folder / "shop.db", cipher, create=True)) as store:
            if numbers:
                arrive(store, *numbers)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and all that was said."""
        self.patch.setattr("sys.argv", ["webhookctl", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self.capture.readouterr()
        assert not [secret for secret in SECRETS.values() if secret in out + err]
        return int(ended.value.code or 0), out + err

    def doctor(self, *arguments: str) -> "Findings":
        code, said = self.run("doctor", *arguments, "--json")
        rows = [row for row in json.loads(said) if (row["area"], row["name"]) != ("work", "start")]
        return Findings(code, rows)


@dataclass
class Findings:
    """What `doctor --json` has said, but what starts this machine's services."""

    code: int
    rows: list[Mapping[str, Any]]

    def about(self, name: str, area: str | None = None) -> Mapping[str, Any]:
        (row,) = (one for one in self.rows if one["name"] == name and area in {None, one["area"]})
        return row

    def named(self, verdict: str) -> set[str]:
        return {one["name"] for one in self.rows if one["verdict"] == verdict}


def lying_there(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and mode of each file, to see that nothing changes."""
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}
