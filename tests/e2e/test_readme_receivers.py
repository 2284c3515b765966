"""What the README says of the document, and the receivers that it gives, hold for what is really sent."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.actions.test_action_http import ACTION, SECRET, handler
from tests.actions.test_outbound import TLS
from tests.e2e.program import free_port, until
from webhookctl.adapters.outbound import Outbound
from webhookctl.core.documents import document
from webhookctl.core.events import Item
from webhookctl.core.notices import FIELDS, LINE, TITLE
from webhookctl.core.orders import Order, OrderStatus, Paid
from webhookctl.core.ports.handler import Failed, Result, Succeeded, Task
from webhookctl.core.redaction import Code

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
ORDER = Order(
    "acme",
    "ORD-12345",
    OrderStatus.FULFILLED,
    1_790_000_000_000,
    1_790_000_000_000,
    order_id="SUP-1",
    paid=Paid("10.00", "EUR"),
    items=(Item("a", Code("X"), Code("1")), Item("b", Code("aGk="), None, "image/png")),
)
TASK = Task(replace(ACTION, subject="ORD-12345"), document(replace(ACTION, subject="ORD-12345"), ORDER), ORDER)


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return str(found[-1])


def test_the_table_names_every_field() -> None:
    """None is missing and none invented, neither in the table nor in the example."""
    section = README.split("<!-- table of the document", 1)[1].split("\n\n", 1)[0]
    rows = dict(re.findall(r"^\| `([a-z_.\[\]]+)` \| (.*) \|$", section, re.MULTILINE))
    sent: dict[str, Any] = json.loads(TASK.document)
    example = json.loads(block("json").replace("…", ""))

    within = set(re.findall(r"`([a-z_]+)`", rows["order"])) | set(re.findall(r"`([a-z_]+)`", rows["order.items[]"]))
    of_items = {name for item in sent["order"]["items"] for name in item}
    assert set(rows) - {"order.items[]"} == set(sent) == set(example)
    assert within - {"deliver"} == set(sent["order"]) | of_items
    assert set(example["order"]) == set(sent["order"])


def test_the_fields_of_messages_are_the_programs() -> None:
    """So are the templates that hold where none is set."""
    section = README.split("### Messages to people", 1)[1].split("\n## ", 1)[0]

    assert set(re.findall(r"`\$([a-z_]+)`", section)) == set(FIELDS)
    assert f'title = "{TITLE}"' in section
    assert f'line = "{LINE}"' in section


def _php_library() -> Path | None:
    """Return where `composer global require` has put the library, if somebody has."""
    homes = [Path(os.environ.get("COMPOSER_HOME", "~/.config/composer")), Path("~/.composer")]
    found = [home.expanduser() / "vendor" for home in homes]
    return next((one for one in found if (one / "standard-webhooks" / "standard-webhooks").is_dir()), None)


def _node_library() -> Path | None:
    """Return where NODE_PATH, or `npm install -g`, has the library, if anywhere."""
    folders = [Path(one) for one in os.environ.get("NODE_PATH", "").split(os.pathsep) if one]
    folders += [Path("/usr/lib/node_modules"), Path("/usr/local/lib/node_modules")]
    return next((one for one in folders if (one / "standardwebhooks").is_dir()), None)


@dataclass(frozen=True, slots=True)
class Receiver:
    """How a receiver of the README is run."""

    file: str
    package: Path | None
    command: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        return self.package is not None and shutil.which(self.command[0]) is not None


RECEIVERS = {
    "python": Receiver("shop.py", Path(sys.prefix), (sys.executable, "shop.py")),
    "php": Receiver("index.php", _php_library(), ("php", "-S", "127.0.0.1:{port}", "index.php")),
    "js": Receiver("shop.js", _node_library(), ("node", "shop.js")),
}


@pytest.mark.parametrize("language", [language for language, one in RECEIVERS.items() if one.is_here])
def test_the_receivers(language: str, tmp_path: Path) -> None:
    """As they stand in the README they take what is signed by our secret, and nothing else.

    Those of PHP and Node run where the language and its library are installed.
    """
    one, port = RECEIVERS[language], free_port()
    (tmp_path / one.file).write_text(block(language))
    if language == "php":
        (tmp_path / "vendor").symlink_to(str(one.package))
    environ = {"SHOP_SECRET": SECRET, "PORT": str(port), "PYTHONUNBUFFERED": "1", "NODE_PATH": str(one.package)}
    command = [word.format(port=port) for word in one.command]

    async def post(secret: str) -> Result:
        async with aclosing(Outbound(TLS)) as outbound:
            return await handler(f"http://127.0.0.1:{port}/", outbound, secret=secret).handle(TASK)

    def posted(secret: str = SECRET) -> Result:
        return uvloop.run(post(secret))

    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(  # noqa: S603 - the README's own
            command, cwd=tmp_path, env=os.environ | environ, stdout=said, stderr=said
        )
        try:
            until(lambda: isinstance(posted(), Succeeded), "the receiver answers")
            forged = posted("whsec_" + "QUJD" * 10)
        finally:
            running.kill()
            running.wait()

    assert isinstance(forged, Failed)
    assert "answered 400" in forged.detail
    assert f"{ACTION.id} deliver ORD-12345" in (tmp_path / "said").read_text()


@pytest.mark.parametrize("language", ["python", "php", "js"])
def test_receivers_are_short(language: str) -> None:
    """Ten lines and a frame."""
    lines = [line for line in block(language).splitlines() if line.strip()]

    assert len(lines) <= 16
