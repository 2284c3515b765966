"""Codes in clear, on the way to whoever asked for them: texts to the terminal, pictures into files."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from webhookctl.core.errors import UsageError
from webhookctl.core.images import Image, image_of

Out = Annotated[
    Path | None,
    typer.Option("--out", help="A folder for codes that are pictures; made if missing.", show_default=False),
]


def ready(out: Path | None) -> None:
    """Make the folder, before anybody is written down as having looked; raises `UsageError`."""
    if out is None:
        return
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not out.is_dir():
        raise UsageError(f"--out {out} is no folder.")


def with_pictures_in_files(items: Sequence[dict[str, Any]], reference: str, out: Path | None) -> list[dict[str, Any]]:
    """Return `items` fit to be shown: where a code is a picture, the file that it is in, or how to get one."""
    shown = list[dict[str, Any]]()
    for number, item in enumerate(items, 1):
        image = image_of(item["code"], item.get("media_type")) if item["code"] else None
        if image is None:
            shown.append(item)
        elif out is None:
            told = f"{image.media_type}, {len(image.data)} bytes: --out DIR writes it to a file"
            shown.append(item | {"code": None, "picture": told})
        else:
            shown.append(item | {"code": None, "picture": str(_written(image, reference, number, out))})
    return shown


def _written(image: Image, reference: str, number: int, out: Path) -> Path:
    """Write a picture for its owner alone; a file that is there stays as it is."""
    from webhookctl.config import write_new

    name = re.sub(r"[^A-Za-z0-9_-]", "_", reference)[:64]
    path = out / f"{name}-{number}{image.suffix}"
    try:
        write_new(path, image.data)
    except FileExistsError:
        raise UsageError(f"{path} is there already and stays as it is: choose another --out.") from None
    return path
