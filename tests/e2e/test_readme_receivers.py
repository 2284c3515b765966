"""What the README says of the document, and the receivers that it gives, hold for what is really sent."""

import json
import os
import re
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
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


def test_the_python_receiver(tmp_path: Path) -> None:
    """As it stands in the README it takes what is signed by our secret, and nothing else."""
    program, port = tmp_path / "shop.py", free_port()
    program.write_text(block("python"))
    environ = os.environ | {"SHOP_SECRET": SECRET, "PORT": str(port), "PYTHONUNBUFFERED": "1"}

    async def post(secret: str) -> Result:
        async with aclosing(Outbound(TLS)) as outbound:
            return await handler(f"http://127.0.0.1:{port}/", outbound, secret=secret).handle(TASK)

    def posted(secret: str = SECRET) -> Result:
        return uvloop.run(post(secret))

    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen([sys.executable, str(program)], env=environ, stdout=said, stderr=said)  # noqa: S603
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
