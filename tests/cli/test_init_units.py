"""What `init` prints is followed word by word, and works."""

import inspect
import os
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from webhookctl import suppliers
from webhookctl.cli import installation
from webhookctl.cli import poll as poll_command
from webhookctl.config import load
from webhookctl.config.units import duration
from webhookctl.core.errors import SettingsError
from webhookctl.wiring import inspection

STEPS = re.compile(r"^==== \d+\. ([^\n]*) ====\n(.*?)(?=^====|\Z)", re.MULTILINE | re.DOTALL)
STEP = {"files": "The service's own user", "serve": "systemd: webhookctl serve", "poll": "systemd: webhookctl poll"}


class Unit(ConfigParser):
    """A systemd unit; keys keep their case, and LoadCredential may come often."""

    def __init__(self, text: str) -> None:
        super().__init__(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep the case of keys
        self.read_string(text)
        self.credentials = dict(
            value.split(":", 1) for value in re.findall(r"^LoadCredential=(.*)$", text, re.MULTILINE)
        )


def printed(plan: installation.Plan) -> dict[str, str]:
    text = "\n".join(installation.steps(plan)) + "\n"
    return {title.split(",")[0]: body for title, body in STEPS.findall(text)}


def here_documents(step: str) -> dict[str, str]:
    found = re.findall(r"^sudo tee (\S+) >/dev/null <<'EOF'\n(.*?)^EOF$", step, re.MULTILINE | re.DOTALL)
    return {Path(path).name: text for path, text in found}


@pytest.fixture
def plan(tmp_path: Path) -> installation.Plan:
    plan = installation.plan(tmp_path / "my shop", "acme-eu", "generic", "hooks.shop.example")
    installation.write(plan)
    return plan


@pytest.fixture
def units(plan: installation.Plan) -> dict[str, str]:
    steps = printed(plan)
    return here_documents(steps[STEP["serve"]]) | here_documents(steps[STEP["poll"]])


def test_each_credential_of_the_settings_is_loaded(plan: installation.Plan, units: dict[str, str]) -> None:
    """Both units load just the credentials that the settings name, and run this program on the installed settings."""
    settings = load(plan.folder / "webhookctl.toml", {})
    deliver = settings.actions.deliver
    assert deliver is not None
    named = [*settings.store.keys, *settings.suppliers["acme-eu"].secrets, deliver.secret, settings.serve.admin_token]

    for name, command in (("webhookctl.service", "serve"), ("webhookctl-poll.service", "poll")):
        unit = Unit(units[name])
        program, *words = unit["Service"]["ExecStart"].split()

        assert [f"credential:{credential}" for credential in unit.credentials] == list(map(str, named))
        assert unit.credentials == {each: f"/etc/webhookctl/{each}" for each in unit.credentials}
        assert program.startswith("/")
        assert words == ["--config", "/etc/webhookctl/webhookctl.toml", command]
        assert unit["Service"]["User"] == "webhookctl"


def test_the_service_is_shut_in(units: dict[str, str]) -> None:
    """The service can write nothing but its own folder, gain no right and see nobody's home."""
    wanted = {
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "StateDirectory": "webhookctl",
        "UMask": "0077",
        "PrivateTmp": "yes",
        "ProtectHome": "yes",
        "CapabilityBoundingSet": "",
        "WorkingDirectory": "/var/lib/webhookctl",
    }

    for name in ("webhookctl.service", "webhookctl-poll.service"):
        service = Unit(units[name])["Service"]
        assert {key: service.get(key) for key in wanted} == wanted
    assert Unit(units["webhookctl.service"])["Service"]["Restart"] == "on-failure"
    assert Unit(units["webhookctl-poll.timer"])["Timer"]["OnCalendar"] == "*:0/5"


def test_a_reload_reads_the_settings_again(units: dict[str, str]) -> None:
    """`systemctl reload` sends the signal that `serve` hears."""
    assert Unit(units["webhookctl.service"])["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_a_run_of_poll_ends_by_itself(units: dict[str, str]) -> None:
    """It has half a minute to finish what it asked at its deadline, and is over when the next one begins."""
    deadline_s = duration(inspect.signature(poll_command.poll).parameters["deadline"].default) / 1000

    assert deadline_s + 30 <= int(Unit(units["webhookctl-poll.service"])["Service"]["TimeoutStartSec"]) < 300


def test_systemd_takes_the_units(units: dict[str, str], tmp_path: Path) -> None:
    """The checker of systemd has nothing to say about the units, where there is one."""
    for name, text in units.items():
        (tmp_path / name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/sh", text, flags=re.MULTILINE))
    checker = shutil.which("systemd-analyze") or "/bin/true"

    done = subprocess.run(  # noqa: S603 - our own files
        [checker, "verify", "--man=no", *(str(tmp_path / name) for name in units)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert sorted(units) == ["webhookctl-poll.service", "webhookctl-poll.timer", "webhookctl.service"]
    assert [line for line in done.stderr.splitlines() if "webhookctl" in line] == []


FAKES = {
    # Nothing but these is ever run, and each path it is given must lie below the test's own root.
    "sudo": """
        case "$1" in useradd|install|chown|sed|python3|"$ROOT"/opt/webhookctl/bin/pip) ;; *) exit 97;; esac
        for word in "$@"; do case "$word" in "$ROOT"/*|"$SHOP"/*) ;; /*) [ "$1" = useradd ] || exit 98;; esac; done
        exec "$@" """,
    "useradd": "exit 0",
    "chown": "exit 0",
    "python3": """
        mkdir -p "$3/bin"; printf '#!/bin/sh\\nexit 0\\n' >"$3/bin/pip"; chmod +x "$3/bin/pip" """,
    "install": """
        args=()
        while [ $# -gt 0 ]; do case "$1" in -o|-g) shift 2;; *) args+=("$1"); shift;; esac; done
        exec /usr/bin/install "${args[@]}" """,
}


def run_step(script: str, root: Path, shop: Path) -> None:
    """Run printed lines as a shell does, below `root`: no other user, no owner and no place outside is touched."""
    fakes = root / "bin"
    fakes.mkdir(parents=True)
    for name, body in FAKES.items():
        (fakes / name).write_text(f"#!/bin/bash\n{body}\n")
        (fakes / name).chmod(0o755)
    for folder in ("etc", "var/lib", "opt"):
        (root / folder).mkdir(parents=True)
    moved = re.sub(r"(?<![\w.])/(etc|var/lib|opt)/webhookctl", rf"{root}/\1/webhookctl", script)
    environ = os.environ | {"PATH": f"{fakes}:{os.environ['PATH']}", "ROOT": str(root), "SHOP": str(shop)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", moved], env=environ, check=True, capture_output=True)  # noqa: S603, S607 - what we printed


@pytest.mark.parametrize("in_reach", [True, False], ids=["this program", "a copy in /opt"])
def test_the_installed_settings_work_in_a_shell_and_in_the_service(
    plan: installation.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_reach: bool
) -> None:
    """Step 3 followed to the letter gives settings that pass the check, with files and with systemd's credentials."""
    root, credentials = tmp_path / "root", tmp_path / "credentials"
    monkeypatch.setattr(installation, "_is_in_reach", lambda _: in_reach)
    monkeypatch.setattr(installation, "_requirement", lambda: "webhookctl")
    steps = printed(plan)
    lines = [line for line in steps[STEP["files"]].splitlines() if line.startswith("sudo") and "-u" not in line.split()]
    run_step("\n".join(lines), root, plan.folder)
    credentials.mkdir()
    for name, source in Unit(here_documents(steps[STEP["serve"]])["webhookctl.service"]).credentials.items():
        shutil.copyfile(f"{root}{source}", credentials / name)

    settings = load(root / "etc/webhookctl/webhookctl.toml", {})

    assert settings.store.path == root / "var/lib/webhookctl/webhookctl.db"
    assert settings.store.path.parent.stat().st_mode & 0o777 == 0o700
    for environ in ({}, {"CREDENTIALS_DIRECTORY": str(credentials)}):
        assert [each.fault for each in inspection.inspect(settings, environ) if each.fault] == []


def test_settings_written_in_place_need_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`init --folder /etc/webhookctl` names the service's store, and step 3 only gives the files to its user."""
    monkeypatch.setattr(installation, "_SYSTEM_FOLDER", tmp_path / "etc/webhookctl")
    plan = installation.plan(tmp_path / "etc/webhookctl", "acme", "generic", "shop.example")
    installation.write(plan)

    step = printed(plan)[STEP["files"]]

    assert load(plan.folder / "webhookctl.toml", {}).store.path == Path("/var/lib/webhookctl/webhookctl.db")
    assert f"sudo chown webhookctl:webhookctl {plan.folder}/webhookctl.key {plan.folder}/acme.secret" in step
    assert "sed" not in step


def test_a_program_out_of_the_services_reach_is_installed_anew(
    plan: installation.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ProtectHome= hides the program, the lines put a copy where the service sees it, and name that."""
    monkeypatch.setattr(installation, "_running", lambda: "/home/me/.venv/bin/webhookctl")

    steps = printed(plan)

    assert "sudo python3 -m venv /opt/webhookctl\nsudo /opt/webhookctl/bin/pip install " in steps[STEP["files"]]
    assert "ExecStart=/opt/webhookctl/bin/webhookctl --config" in steps[STEP["serve"]]
    assert "/home/me" not in steps[STEP["files"]] + steps[STEP["serve"]] + steps[STEP["poll"]]


def test_cron_nginx_and_dashboard_agree_with_the_settings(plan: installation.Plan) -> None:
    """Cron polls as the service's user, nginx passes on to `listen`, the dashboard's URL is the supplier's."""
    steps = printed(plan)
    settings = load(plan.folder / "webhookctl.toml", {})
    (cron,) = here_documents(steps["cron: the same as 5"]).values()
    (nginx,) = here_documents(steps["nginx: TLS in front"]).values()

    assert re.fullmatch(
        r"\*/5 \* \* \* \* webhookctl umask 077; /\S+ --config /etc/webhookctl/webhookctl\.toml poll\n", cron
    )
    assert f"proxy_pass http://{settings.serve.listen};" in nginx
    assert "client_max_body_size 1m;" in nginx
    assert settings.serve.max_body == 1024 * 1024
    assert "proxy_set_header Host $host;" in nginx
    assert nginx.count("{") == nginx.count("}")
    assert "https://hooks.shop.example/webhooks/acme-eu\n" in steps["At the supplier's dashboard"]


@pytest.mark.parametrize(("preset", "logs"), [("generic", True), ("bitrefill", False)])
def test_nginx_logs_no_secret(tmp_path: Path, preset: str, *, logs: bool) -> None:
    """Where the path proves the supplier, it stands in no access log."""
    steps = printed(installation.plan(tmp_path, "acme", preset, "hooks.shop.example"))

    (nginx,) = here_documents(steps["nginx: TLS in front"]).values()

    (location,) = re.findall(r"location /webhooks/ \{\n(.*?)\n    \}", nginx, re.DOTALL)
    assert ("        access_log off;" not in location.splitlines()) is logs


def test_no_secret_is_printed(plan: installation.Plan) -> None:
    """The lines say where secrets lie, and hold none; they say that the key is to be kept elsewhere."""
    text = "\n".join(installation.steps(plan))

    for name in plan.secret_files:
        assert (plan.folder / name).read_text().strip() not in text
        assert name in text
    assert "a lost key\nis lost codes" in text


@pytest.mark.parametrize("preset", suppliers.names())
def test_every_preset_gets_a_secret_it_takes(tmp_path: Path, preset: str) -> None:
    """The generated secret has the form that the preset's suppliers use."""
    plan = installation.plan(tmp_path / preset, "acme", preset, "shop.example")
    installation.write(plan)

    findings = inspection.inspect(load(plan.folder / "webhookctl.toml", {}), {})

    assert [finding.fault for finding in findings if finding.fault] == []


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file can't be written, those before it go: `init` can be run again."""
    plan = installation.plan(tmp_path / "shop", "acme", "generic", "shop.example")
    monkeypatch.setattr(installation, "load", lambda *_: (_ for _ in ()).throw(SettingsError("full")))

    with pytest.raises(SettingsError):
        installation.write(plan)

    assert list(plan.folder.iterdir()) == []
