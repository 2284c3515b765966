"""Where a list finds its store: by as little of the settings as will do, and by all of them where it won't."""

from collections.abc import Callable
from pathlib import Path

import pytest

from webhookctl import config, wiring
from webhookctl.core.errors import SettingsError

STORE = '[store]\nurl = "sqlite:kept/shop.db"\nkeys = ["file:shop.key", "env:OLD_KEY"]\n'
SUPPLIER = '[suppliers.acme]\npreset = "generic"\nsecrets = ["env:ACME_SECRET"]\n'


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "webhookctl.toml").write_text(text)
        return tmp_path / "webhookctl.toml"

    return write


def test_it_is_where_the_settings_have_it(written: Callable[[str], Path]) -> None:
    """The short way and the long one come to the same file and keys."""
    named = written(STORE + SUPPLIER)

    short, whole = wiring.place(named), config.load(named, {})

    assert isinstance(short, wiring.StorePlace)
    assert whole.store.path == short.store.path
    assert whole.store.keys == short.store.keys
    assert whole.store.unencrypted == short.store.unencrypted
    assert whole.folder == short.folder


def test_a_fault_of_a_supplier_keeps_nobody_from_looking(written: Callable[[str], Path]) -> None:
    """Whoever has just broken the settings can still see what came."""
    named = written(STORE + "[suppliers.acme]\npreste = 7\n")

    assert isinstance(wiring.place(named), wiring.StorePlace)
    with pytest.raises(SettingsError):
        wiring.settings(named)


@pytest.mark.parametrize(
    "store",
    [
        STORE.replace("shop.db", "shop.db?mode=ro") + "kyes = []\n",
        STORE.replace("sqlite:kept", "postgresql://kept"),
        STORE.replace("sqlite:kept/shop.db", "sqlite::memory:"),
        STORE.replace("sqlite:kept", "sqlite://kept"),
        STORE.replace("file:shop.key", "0123456789abcdef"),
        STORE.partition("keys")[0],
        "",
    ],
)
def test_what_is_wrong_with_the_store_itself_is_said_as_ever(written: Callable[[str], Path], store: str) -> None:
    """In the sentence that names the key."""
    named = written(store + SUPPLIER)

    with pytest.raises(SettingsError) as whole:
        wiring.settings(named)
    with pytest.raises(SettingsError) as short:
        wiring.place(named)

    assert str(whole.value) == str(short.value)


def test_what_else_may_stand_there_counts(written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A store without keys, and a variable that moves it: all the settings are read."""
    in_clear = written('[store]\nurl = "sqlite:shop.db"\nunencrypted = "I accept that codes lie in clear"\n')
    assert wiring.place(in_clear).store.unencrypted

    monkeypatch.setenv("WEBHOOKCTL_STORE__URL", "sqlite:elsewhere.db")
    named = written(STORE + SUPPLIER)
    assert named.parent / "elsewhere.db" == wiring.place(named).store.path
