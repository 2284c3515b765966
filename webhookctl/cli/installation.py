"""What `init` writes and what it tells the operator to do with it."""

import base64
import importlib.metadata
import json
import os
import re
import secrets
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, Final

import webhookctl
from webhookctl.config import FILE_NAME, SYSTEM_FILE, load, new_key, write_new
from webhookctl.core.errors import SettingsError, UsageError
from webhookctl.core.signatures import Scheme, params_needed
from webhookctl.suppliers import preset as read_preset

_KEY: Final = "webhookctl.key"
_SHOP: Final = "shop.secret"
_ADMIN: Final = "admin.token"
_SYSTEM_FOLDER: Final = SYSTEM_FILE.parent
_STATE_FOLDER: Final = Path("/var/lib/webhookctl")
_DATABASE: Final = "webhookctl.db"
_OWN_PLACE: Final = Path("/opt/webhookctl")
"""Where the service's copy of the program goes, when the one that runs here is out of its reach."""
_HIDDEN: Final = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - named, not used
"""What ProtectHome= and PrivateTmp= keep the service from seeing."""
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._+-]+")
"""A path that systemd, cron and a shell all read as it stands."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}\.?){0,8}[A-Za-z0-9]")

_SHOWN: Final = {
    "service": "webhookctl.service",
    "poll_service": "webhookctl-poll.service",
    "poll_timer": "webhookctl-poll.timer",
    "cron": "webhookctl.cron",
    "nginx": "nginx.conf",
}
"""Templates that `steps.txt` shows, by their places in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be set up."""

    folder: Path
    supplier: str
    preset: str
    domain: str

    @property
    def is_in_place(self) -> bool:
        """The files are written to where the service reads them."""
        return self.folder == _SYSTEM_FOLDER

    @property
    def secret_files(self) -> tuple[str, ...]:
        return _KEY, f"{self.supplier}.secret", _SHOP, _ADMIN


def plan(folder: Path, supplier: str, preset: str, domain: str) -> Plan:
    """Check what was asked for; raises `UsageError`."""
    if not _DOMAIN.fullmatch(domain):
        raise UsageError("--domain must be the name of a host, such as hooks.shop.example.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", supplier) or f"{supplier}.secret" == _SHOP:
        raise UsageError(
            "--supplier must be a-z, 0-9, - and _, at most 32 of them, and not `shop`: it names files too."
        )
    try:
        read_preset(preset)
    except SettingsError as error:
        raise UsageError(f"--preset {preset}: {error}") from None
    return Plan(folder.absolute(), supplier, preset, domain)


def write(plan: Plan) -> list[Path]:
    """Write the files, all or none, and return them; one that is there raises `UsageError` and stays as it is."""
    contents = _contents(plan)
    there = [str(path) for path in contents if path.exists() or path.is_symlink()]
    if there:
        raise UsageError(f"Nothing was written, for these exist: {', '.join(there)}. Choose another --folder.")
    plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if plan.folder.stat().st_mode & stat.S_IWOTH:
        raise UsageError(f"{plan.folder} can be written to by everybody: choose a --folder of your own.")
    with ExitStack() as undo:
        for path, (text, mode) in contents.items():
            write_new(path, text, mode)
            undo.callback(path.unlink)
        load(plan.folder / FILE_NAME, {})
        undo.pop_all()
    return list(contents)


def _contents(plan: Plan) -> dict[Path, tuple[str, int]]:
    database = str(_STATE_FOLDER / _DATABASE) if plan.is_in_place else _DATABASE
    proof = "\n".join(_proof(plan, read_preset(plan.preset)))
    settings = _filled("settings.toml", database=database, supplier=plan.supplier, preset=plan.preset, proof=proof)
    shop = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    made = (new_key(), _new_secret(read_preset(plan.preset)), shop, secrets.token_hex(32))
    texts = dict(zip(plan.secret_files, made, strict=True))
    return {
        plan.folder / FILE_NAME: (settings, 0o644),
        **{plan.folder / name: (text, 0o600) for name, text in texts.items()},
    }


def _proof(plan: Plan, preset: Mapping[str, Any]) -> Iterator[str]:
    """Say in the settings by what the supplier is known."""
    secret = f'"credential:{plan.supplier}.secret"'
    if _signs_nothing(preset):
        yield "# It signs nothing: what it posts to holds the secret."
        yield f"path_secret = {secret}"
    else:
        yield "# Any of them may match: add the new one before the supplier changes it."
        yield f"secrets = [{secret}]"
    if "{url}" in str(preset.get("signed")):
        yield "# It signs the address that it posts to: write it as it is entered there."
        yield f'url = "https://{plan.domain}/webhooks/{plan.supplier}"'
    for name in params_needed({key: value for key, value in preset.items() if key in Scheme.KEYS}):
        yield f'params.{name} = "CHANGE-ME"    # your own, as the supplier calls it'


def _signs_nothing(preset: Mapping[str, Any]) -> bool:
    return bool(preset["kind"] == "none")


def _address(plan: Plan) -> str:
    """Say what is to be entered where the supplier asks for the address to post to."""
    address = f"https://{plan.domain}/webhooks/{plan.supplier}"
    return f"{address}/SECRET, with the secret below" if _signs_nothing(read_preset(plan.preset)) else address


def _log(plan: Plan) -> str:
    """Keep a path that holds the secret out of nginx's log."""
    words = ("# What is posted to holds the secret, which must not stand in a log.", "access_log off;")
    return "".join(f"        {word}\n" for word in words) if _signs_nothing(read_preset(plan.preset)) else ""


def _new_secret(preset: Mapping[str, Any]) -> str:
    """Make a secret in the form that the preset's suppliers use."""
    prefix = str(preset.get("secret_prefix", ""))
    match preset.get("secret_encoding", "utf8"):
        case "hex":
            return f"{prefix}{secrets.token_hex(32)}"
        case "base64":
            return prefix + base64.b64encode(secrets.token_bytes(32)).decode()
        case _:
            return f"{prefix}{secrets.token_urlsafe(32)}"


def steps(plan: Plan) -> list[str]:
    """Return the lines to print: what to do next, step by step, ready to be pasted into a shell."""
    program, install_program = _program()
    credentials = "\n".join(f"LoadCredential={name}:{_SYSTEM_FOLDER / name}" for name in plan.secret_files)
    hardening = _filled("hardening", credentials=credentials)
    words = {"program": program, "domain": plan.domain, "supplier": plan.supplier, "hardening": hardening}
    shown = {place: _filled(template, **words, log=_log(plan)) for place, template in _SHOWN.items()}
    return _filled(
        "steps.txt",
        **words,
        folder=shlex.quote(str(plan.folder)),
        try_here=_try_here(plan),
        address=_address(plan),
        files="\n".join([*install_program, *_file_lines(plan)]),
        **shown,
    ).splitlines()


def _try_here(plan: Plan) -> str:
    if plan.is_in_place:
        return f"These settings are the service's, whose store is in {_STATE_FOLDER}: go on with 3."
    here = f"{shlex.quote(_running())} --config {shlex.quote(str(plan.folder / FILE_NAME))}"
    return f"{here} config check\n{here} serve"


def _file_lines(plan: Plan) -> Iterator[str]:
    yield (f"sudo useradd --system --user-group --home-dir {_STATE_FOLDER} --shell /usr/sbin/nologin webhookctl")
    yield f"sudo install -d -o webhookctl -g webhookctl -m 0700 {_STATE_FOLDER}"
    yield f"sudo install -d -o root -g webhookctl -m 0750 {_SYSTEM_FOLDER}"
    settings, files = _SYSTEM_FOLDER / FILE_NAME, [str(_SYSTEM_FOLDER / name) for name in plan.secret_files]
    if plan.is_in_place:
        yield f"sudo chown root:webhookctl {settings}"
        yield f"sudo chown webhookctl:webhookctl {' '.join(files)}"
        return
    here = [shlex.quote(str(plan.folder / name)) for name in (FILE_NAME, *plan.secret_files)]
    yield f"sudo install -o root -g webhookctl -m 0640 {here[0]} {settings}"
    yield f"sudo install -o webhookctl -g webhookctl -m 0600 {' '.join(here[1:])} {_SYSTEM_FOLDER}/"
    yield f'sudo sed -i \'s|"sqlite:{_DATABASE}"|"sqlite:{_STATE_FOLDER / _DATABASE}"|\' {settings}'


def _running() -> str:
    beside = Path(sys.executable).parent / "webhookctl"
    return str(beside) if beside.exists() else shutil.which("webhookctl") or "webhookctl"


def _program() -> tuple[str, list[str]]:
    """Return the program's path for the service, and the lines that put it there when this one is out of reach."""
    parts = (Path(_running()), Path(sys.executable).resolve(), Path(webhookctl.__file__).resolve())
    if _PLAIN_PATH.fullmatch(_running()) and all(map(_is_in_reach, parts)):
        return _running(), []
    pip = f"sudo {_OWN_PLACE}/bin/pip install {shlex.quote(_requirement())}"
    return f"{_OWN_PLACE}/bin/webhookctl", [f"sudo python3 -m venv {_OWN_PLACE}", pip]


def _is_in_reach(path: Path) -> bool:
    """May the service's user, in its sandbox, get there?"""
    if not path.is_absolute() or any(path.is_relative_to(hidden) for hidden in _HIDDEN):
        return False
    return path.exists() and all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


def _requirement() -> str:
    """Return what pip is to install: the folder that this copy came from, or its version."""
    with_origin = importlib.metadata.distribution("webhookctl").read_text("direct_url.json")
    url = str(json.loads(with_origin).get("url", "")) if with_origin else ""
    return url.removeprefix("file://") if url.startswith("file:///") else f"webhookctl=={webhookctl.__version__}"


def _filled(template: str, **words: str) -> str:
    text = (resources.files("webhookctl.cli") / "templates" / template).read_text(encoding="utf-8")
    return Template(text.rstrip(os.linesep)).substitute(words)
