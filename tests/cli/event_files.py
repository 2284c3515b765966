"""A folder with settings and a shop's store, whose events are exported and imported."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tests.test_quarantine import RIGHT, Shop
from webhookctl.adapters.store_sqlite import SqliteStore
from webhookctl.cli import app
from webhookctl.core.ports.events import EventQuery

ENVIRON = {"KEY": "00" * 32, "ACME": RIGHT.decode()}
REVEAL = ("--reveal", "--reason", "moving")


@dataclass
class Place:
    """A folder with settings, and the store in it."""

    folder: Path
    store: SqliteStore
    shop: Shop

    def webhookctl(self, *words: str, stdin: bytes = b"", **environ: str) -> Result:
        command = ["--config", str(self.folder / "webhookctl.toml"), *words]
        return CliRunner().invoke(app, command, input=stdin, env=ENVIRON | environ)

    def run(self, *words: str, stdin: bytes = b"", **environ: str) -> Result:
        return self.webhookctl("events", *words, stdin=stdin, **environ)

    def orders(self, *words: str) -> Result:
        return self.webhookctl("orders", *words)

    def counts(self, *words: str, stdin: bytes = b"") -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.run("import", *words, "--json", stdin=stdin).stdout)["counts"]
        return {fate: count for fate, count in counts.items() if count}

    def all(self) -> list[Any]:
        return self.store.events.walk(EventQuery(limit=1_000), opened=True)


def exported(place: Place, *words: str) -> Path:
    out = place.folder / "events.jsonl"
    assert place.run("export", *REVEAL, "--out", str(out), *words).exit_code == 0
    return out
