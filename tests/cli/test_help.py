"""What --help promises, and what README says there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from webhookctl.cli import app

README = Path(__file__).parent.parent.parent / "README.md"


def commands(group: typer.core.TyperGroup, path: str = "") -> Iterator[tuple[str, typer.core.TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{path}{name} ")
        else:
            assert isinstance(command, typer.core.TyperCommand)
            yield path + name, command


ROOT = typer.main.get_command(app)
assert isinstance(ROOT, typer.core.TyperGroup)
COMMANDS = dict(commands(ROOT))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_two_examples(name: str) -> None:
    """The epilog of each command shows it in use twice, with its own name."""
    examples = re.findall(r"webhookctl (?:--config \S+ )?([a-z]+(?: [a-z]+)?)", COMMANDS[name].epilog or "")

    assert len(examples) >= 2
    assert any(example.startswith(name) or name.startswith(example.split()[0]) for example in examples)


def test_the_readme_lists_every_command() -> None:
    """No command is missing in the README's table, and none is invented there."""
    section = README.read_text().split("## Commands", 1)[1].split("\n\n", 3)[1]
    listed = set(re.findall(r"`([a-z]+(?: [a-z]+)?)`", "\n".join(line.split("|")[1] for line in section.splitlines())))

    assert listed == set(COMMANDS)
