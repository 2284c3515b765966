"""The demo makes what it needs, for this machine only."""

import os
from pathlib import Path

import pytest

from webhookctl.config import demo_settings, make_demo, refuse_public
from webhookctl.core.errors import SettingsError


def test_the_demo_makes_what_it_needs_once(tmp_path: Path) -> None:
    """Key and secret are made 0600, whatever the umask, and kept the next time."""
    before = os.umask(0)
    try:
        settings = make_demo(tmp_path)
    finally:
        os.umask(before)
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    again = make_demo(tmp_path)

    assert sorted(contents) == ["demo.secret", "webhookctl.key"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == contents
    assert (again.demo, again.source, list(again.suppliers)) == (True, None, ["demo"])
    secrets = settings.read(settings.suppliers["demo"].secrets, {})
    assert len(settings.suppliers["demo"].scheme.keys(secrets)) == 1
    assert len(bytes.fromhex(settings.read(settings.store.keys, {})[0].value.decode())) == 32


@pytest.mark.parametrize(
    ("listen", "public"),
    [("0.0.0.0:8700", True), ("[::]:8700", True), ("shop.example:1", True), ("127.0.0.2:1", False), ("[::1]:1", False)],
)
def test_the_demo_is_for_this_machine_only(tmp_path: Path, listen: str, *, public: bool) -> None:
    """An address that others reach is refused in demo mode, before any file is made."""
    environ = {"WEBHOOKCTL_SERVE__LISTEN": listen}

    if public:
        with pytest.raises(SettingsError, match="run `webhookctl init`"):
            make_demo(tmp_path, environ)
        assert list(tmp_path.iterdir()) == []
    else:
        refuse_public(demo_settings(tmp_path, environ))
        assert str(make_demo(tmp_path, environ).serve.listen) == listen
