"""Settings are right, or refused in words that say where and what to do."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from tests.config.writing import ACME, CANARY, SHOP, STORE, loaded, refusal
from webhookctl.config import Address, load
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ActionKind, CodesRule
from webhookctl.core.ports.handler import Repeat

EVERYTHING = """
[store]
url = "sqlite:data/shop.db"
keys = ["file:new.key", "credential:old.key"]
[serve]
listen = "[::1]:9000"
max_body = "512KiB"
tls_cert = "cert.pem"
tls_key = "/tls/key.pem"
grace = "1m30s"
admin = "127.0.0.1:9001"
admin_token = "env:ADMIN"
[alarms]
undelivered_after = "5m"
[suppliers.acme]
preset = "generic"
secrets = ["env:ACME", "env:ACME_OLD"]
allow_short = true
sla = "15m"
codes = "none"
low_balance = "250.00"
balance_cooldown = "2h"
return_window = "24h"
[actions.deliver]
http = "https://shop.example/deliveries"
secret = "env:SHOP"
timeout = "2.5s"
retry = { first = "1s", longest = "1h", give_up_after = "7d" }
"""
NOTIFY = STORE + "[actions.alert]\nnotify = ['env:X']\n"


def test_reads_everything_that_can_be_set(file: Path) -> None:
    """Each key arrives as its value: paths absolute, durations in milliseconds, sizes in bytes."""
    settings = loaded(file, EVERYTHING)

    assert settings.source == file
    assert settings.store.path == file.parent / "data/shop.db"
    assert list(map(str, settings.store.keys)) == ["file:new.key", "credential:old.key"]
    assert settings.serve.listen == Address("::1", 9000)
    assert settings.serve.tls == (file.parent / "cert.pem", Path("/tls/key.pem"))
    assert (settings.serve.max_body, settings.serve.grace) == (512 * 1024, 90_000)
    assert settings.serve.admin == Address("127.0.0.1", 9001)
    assert settings.alarms.undelivered_after == 300_000
    acme = settings.suppliers["acme"]
    assert (acme.policy.low_balance, acme.policy.balance_cooldown_ms) == (Decimal("250.00"), 7_200_000)
    assert acme.policy.return_window_ms == 86_400_000
    assert (len(acme.secrets), acme.allow_short) == (2, True)
    assert (acme.policy.sla_ms, acme.policy.codes) == (900_000, CodesRule.NONE)
    deliver = settings.actions.by_kind()[ActionKind.DELIVER]
    assert (deliver.timeout, deliver.retries.first, deliver.retries.give_up_after) == (2500, 1000, 7 * 86_400_000)


def test_defaults_are_safe(file: Path) -> None:
    """What is left out listens on loopback, takes a megabyte, and logs alerts."""
    settings = loaded(file, STORE)

    assert str(settings.serve.listen) == "127.0.0.1:8700"
    assert settings.serve.max_body == 1024 * 1024
    assert settings.serve.tls is None
    assert list(settings.actions.by_kind()) == [ActionKind.ALERT]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x = 1\n" + STORE, "x is not known", id="unknown key"),
        pytest.param(STORE + "[serve]\nlistn = 'x'", "serve.listn is not known; did you mean serve.listen?", id="near"),
        pytest.param('sla = "5m"\n' + STORE, "sla is not known; it belongs into [suppliers.NAME]", id="other table"),
        pytest.param(ACME + 'secret = "env:X"', "suppliers.acme.secret is not known; did you mean", id="supplier key"),
        pytest.param(
            ACME + 'signature_heder = "X"',
            "suppliers.acme.signature_heder is not known; did you mean suppliers.acme.signature_header?",
            id="scheme key",
        ),
        pytest.param(STORE + "[actions.delivr]\nlog = true", "did you mean actions.deliver?", id="action kind"),
        pytest.param(STORE + "[actions.alert]\nlgo = true", "actions.alert.lgo is not known", id="handler key"),
        pytest.param(SHOP + "retry = { frist = '1s' }", "did you mean actions.deliver.retry.first?", id="retry key"),
        pytest.param("", "(1) store.url is missing: say where", id="empty"),
        pytest.param('[store]\nurl = "sqlite:x"', "store.keys is missing or empty: say what encrypts", id="no key"),
        pytest.param('[store]\nurl = "sqlite:x"\nkeys = []', "store.keys is missing or empty", id="empty keys"),
        pytest.param('[store]\nurl = "x"\nkeys = "file:k"', "store.keys must be a list in square brackets", id="text"),
        pytest.param(STORE.replace("sqlite:", "mysql:"), "store.url must be sqlite:PATH", id="other store"),
        pytest.param(STORE.replace("webhookctl.db", ":memory:"), "store.url must be sqlite:PATH", id="memory"),
        pytest.param(STORE.replace("sqlite:", "sqlite://"), "without the two slashes", id="slashes"),
        pytest.param(
            STORE.replace("sqlite:webhookctl.db", "postgresql://u:" + CANARY + "@h/d"),
            "store.url names a PostgreSQL store, which this version does not have",
            id="postgres",
        ),
        pytest.param("store = 3", "store must be a table", id="no table"),
        pytest.param(STORE + "suppliers = 3", "store.suppliers is not known", id="below a table"),
        pytest.param("suppliers = 3\n" + STORE, "suppliers must be a table", id="suppliers"),
        pytest.param(STORE + "[serve]\nlisten = 8700", "serve.listen must be an address and a port", id="port only"),
        pytest.param(STORE + "[serve]\nlisten = '::1:8700'", "IPv6 address in brackets", id="brackets"),
        pytest.param(STORE + "[serve]\nlisten = '127.0.0.1:65536'", "serve.listen must be", id="high port"),
        pytest.param(STORE + "[serve]\nlisten = '127.0.0.1:0000009999999'", "serve.listen must be", id="long port"),
        pytest.param(STORE + "[serve]\nlisten = '127.0.0.300:80'", "serve.listen must be", id="no address"),
        pytest.param(STORE + "[serve]\nmax_body = '1 parsec'", "serve.max_body must be a number of bytes", id="size"),
        pytest.param(STORE + "[serve]\nmax_body = true", "serve.max_body must be a number of bytes", id="size bool"),
        pytest.param(STORE + "[serve]\nmax_body = '1B'", "serve.max_body must be between 1KiB and", id="small"),
        pytest.param(STORE + "[serve]\nadmin = '0.0.0.0:8701'", "serve.admin must be an address of this", id="admin"),
        pytest.param(STORE + "[serve]\nadmin_token = 'env:T'", "serve.admin is missing: admin_token", id="no admin"),
        pytest.param(STORE + "[alarms]\nundelivered_after = '0s'", "alarms.undelivered_after must be", id="no time"),
        pytest.param(STORE + "[replay]\ntargets = 'x'", "replay.targets must be a list of origins", id="no list"),
        pytest.param(STORE + "[replay]\ntargets = ['ftp://x']", "replay.targets must be a URL", id="no origin"),
        pytest.param(STORE + "[replay]\ntargets = ['https://x/y']", "without a path", id="a path"),
        pytest.param(ACME + "low_balance = 9.5", "suppliers.acme.low_balance must be an amount", id="float money"),
        pytest.param(ACME + "low_balance = '-1'", "suppliers.acme.low_balance must be an amount", id="debt"),
        pytest.param(STORE + "[serve]\ntls_cert = 'c'", "serve.tls_key is missing: tls_cert is of no use", id="cert"),
        pytest.param(STORE + "[serve]\ntls_key = 'k'", "serve.tls_cert is missing: tls_key is of no use", id="key"),
        pytest.param(STORE + "[serve]\ntls_key = 3", "serve.tls_key must be the path of a file", id="no path"),
        pytest.param(STORE + "[serve]\ngrace = 10", "serve.grace must be a duration in quotes", id="bare number"),
        pytest.param(STORE + "[serve]\ngrace = '1h, 2m'", "serve.grace must be a duration", id="joined"),
        pytest.param(ACME + "sla = '5mm'", "units: ms, s, m, h, d, w", id="unit"),
        pytest.param(ACME + "sla = '0s'", "suppliers.acme.sla must be longer than nothing", id="zero"),
        pytest.param(ACME + "sla = '999999999w'", "suppliers.acme.sla is too long a duration", id="overflow"),
        pytest.param(ACME + "sla = '36526d'", "suppliers.acme.sla is too long a duration", id="a century"),
        pytest.param(ACME + "codes = 'maybe'", "suppliers.acme.codes must be 'required' or 'none'", id="enum"),
        pytest.param(ACME + "allow_short = 'yes'", "suppliers.acme.allow_short must be true or false", id="bool"),
        pytest.param(ACME.replace("generic", "generci"), "suppliers.acme.preset is refused: ", id="preset"),
        pytest.param(
            ACME.replace('preset = "generic"', ""), "suppliers.acme.preset is missing: name one of", id="none"
        ),
        pytest.param(
            ACME.replace('["env:ACME"]', "[]"), "suppliers.acme.secrets must have at least one", id="no secret"
        ),
        pytest.param(
            ACME.replace("secrets", "#"), "suppliers.acme.secrets is missing: say where", id="secrets missing"
        ),
        pytest.param(ACME.replace(".acme", ".Acme"), "suppliers.Acme is no name for a supplier", id="name"),
        pytest.param(ACME + "algorithm = 'crc32'", "suppliers.acme.algorithm must be sha1 or ", id="scheme"),
        pytest.param(
            ACME + "map = { refrence = '/r' }",
            "suppliers.acme.map.refrence is not known; did you mean map.reference?",
            id="map",
        ),
        pytest.param(SHOP + "log = true", "actions.deliver must have exactly one of http", id="two handlers"),
        pytest.param(STORE + "[actions.deliver]", "actions.deliver must have exactly one of http", id="no handler"),
        pytest.param(STORE + "[actions.deliver]\nlog = false", "exactly one of http", id="log false"),
        pytest.param(SHOP.replace("secret", "#"), "actions.deliver.secret is missing: without it", id="unsigned"),
        pytest.param(STORE + "[actions.refund]\nlog = true\nsecret = 'env:X'", "belongs to http only", id="log secret"),
        pytest.param(STORE + "[actions.refund]\nlog = true\ntimeout = '1s'", "beside log = true", id="log timeout"),
        pytest.param(SHOP.replace("http", "notify", 1), "must be a list", id="one address"),
        pytest.param(STORE + "[actions.alert]\nnotify = []", "alert.notify must have at least one entry", id="nobody"),
        pytest.param(STORE + f"[actions.alert]\nnotify = ['slack://{CANARY}']", "must be a reference", id="clear url"),
        pytest.param(
            STORE + "[actions.deliver]\nnotify = ['env:X']", "notify is refused: a notice never holds", id="told codes"
        ),
        pytest.param(NOTIFY + "title = '$refrence'", "did you mean $reference?", id="field"),
        pytest.param(NOTIFY + "line = '$'", "write $$ for the sign itself", id="dollar"),
        pytest.param(NOTIFY + "evry = '1m'", "did you mean actions.alert.every?", id="every"),
        pytest.param(STORE + "[actions.alert]\nlog = true\nevery = '1m'", "beside notify only", id="log every"),
        pytest.param("[store]\nurl = 'sqlite:x.db'", "store.keys is missing or empty: say what encrypts", id="no keys"),
        pytest.param("[store]\nurl = 'sqlite:x.db'\nkeys = []", "keys is missing or empty: say", id="empty keys"),
        pytest.param(
            "[store]\nurl = 'sqlite:x.db'\nunencrypted = 'yes'",
            "store.unencrypted must be the sentence 'I accept that codes lie in clear'",
            id="half-hearted",
        ),
        pytest.param(SHOP.replace("//", "//u:" + CANARY + "@"), "must not hold a user or a password", id="userinfo"),
        pytest.param(SHOP.replace("http:", "ftp:"), "actions.deliver.http must be a URL", id="ftp"),
        pytest.param(SHOP.replace("127.0.0.1:8000", "[::1"), "actions.deliver.http must be a URL", id="bad url"),
        pytest.param(SHOP.replace("/x", "/x#y"), "must not have a fragment", id="fragment"),
        pytest.param(STORE + "[actions.refund]\ncommand = 'rm -rf'", "must be a list of words", id="shell"),
        pytest.param(STORE + "[actions.refund]\ncommand = []", "must begin with the program", id="empty command"),
        pytest.param(STORE + "[actions.refund]\ncommand = ['./x']", "must begin with an absolute path", id="relative"),
        pytest.param(SHOP + "repeat = 'often'", "actions.deliver.repeat must be 'at_least_once' or", id="repeat"),
        pytest.param(
            SHOP + "retry = { first = '2h', longest = '1h' }", "retry.longest must not be shorter", id="retry"
        ),
        pytest.param('[store]\nurl = "x', "end of document: this is not TOML: Unterminated", id="open string"),
        pytest.param("[store]\n[store]", "line 2, column 7: this is not TOML:", id="twice"),
        pytest.param(b"[store]\nurl = '\xff'", "line 2: this is not UTF-8 text", id="latin"),
        pytest.param("[store]".encode("utf-16"), "line 1: this is not UTF-8 text", id="utf-16"),
        pytest.param("x = " + "[" * 5000, "is nested too deeply", id="deep"),
        pytest.param("x = 1" + "0" * 5000, "this is not TOML", id="long number"),
        pytest.param("#" * (1 << 20) + "#", "larger than 1 MiB", id="large"),
    ],
)
def test_refuses_in_words(file: Path, text: str | bytes, words: str) -> None:
    """A fault is named with its file, its dotted key and what to do, and never with the value that stood there."""
    sentence = refusal(file, text)

    assert words in sentence
    assert sentence.startswith(str(file))
    assert sentence[-1] in ".?"
    assert sentence[-2] not in ".?"
    assert CANARY not in sentence


def test_lists_all_faults_at_once(file: Path) -> None:
    """Whoever mends a file need not start it once per fault."""
    text = "[store]\nurl = 'sqlite:x'\n[serve]\nlisten = 3\n[suppliers.a]\nsla = 'x'\nprset = 'generic'"

    sentence = refusal(file, text)

    assert "has 5 faults: (1) store.keys is missing" in sentence
    for part in ("serve.listen must", "suppliers.a.sla must", "suppliers.a.secrets is missing", "suppliers.a.prset is"):
        assert part in sentence


@pytest.mark.parametrize("place", ["keys", "secrets", "secret"])
@pytest.mark.parametrize("clear", [CANARY, f"whsec_{CANARY}", f"pass:{CANARY}", f"env:{CANARY} x"])
def test_a_secret_in_clear_is_refused_unseen(file: Path, place: str, clear: str) -> None:
    """A secret written into the settings is refused without being repeated."""
    old = {"keys": "file:webhookctl.key", "secrets": "env:ACME", "secret": "env:SHOP"}[place]
    text = (ACME + SHOP.removeprefix(STORE)).replace(old, clear)

    sentence = refusal(file, text)

    assert CANARY not in sentence
    assert f".{place}" in sentence
    assert "must" in sentence


def test_byte_order_mark_and_windows_newlines_are_no_fault(file: Path) -> None:
    """A file from a Windows editor is read as it looks."""
    file.write_bytes(b"\xef\xbb\xbf" + ACME.replace("\n", "\r\n").encode())

    assert list(load(file, {}).suppliers) == ["acme"]


def test_a_key_cannot_act_on_the_terminal(file: Path) -> None:
    """Control characters in a key are shown escaped."""
    assert "\\x1b[2J is not known" in refusal(file, '"\\u001b[2J" = 1\n' + STORE)


@pytest.mark.parametrize("break_it", ["missing", "folder", "forbidden"])
def test_an_unreadable_file_is_named(tmp_path: Path, break_it: str) -> None:
    """A file that is missing, a folder or a link in circles is refused by its path."""
    path = tmp_path / "x.toml"
    if break_it == "folder":
        path.mkdir()
    elif break_it == "forbidden":
        path.symlink_to(path)

    with pytest.raises(SettingsError, match=r"x\.toml can't be read: "):
        load(path, {})


def test_defaults_of_repeat_follow_what_is_at_stake(file: Path) -> None:
    """What spends money or runs a program is not begun twice by itself; the rest is; a setting wins."""
    url = 'http = "https://shop.example/x"\nsecret = "env:S"\n'
    settings = loaded(
        file,
        STORE
        + "".join(f"[actions.{kind}]\n{url}" for kind in ("deliver", "refund", "top_up"))
        + '[actions.notify]\ncommand = ["true"]\n'
        + '[actions.alert]\ncommand = ["true"]\nrepeat = "at_least_once"\n',
    )

    repeats = {kind.value: handler.repeat for kind, handler in settings.actions.by_kind().items()}

    assert repeats == {
        "deliver": Repeat.AT_LEAST_ONCE,
        "refund": Repeat.AT_MOST_ONCE,
        "top_up": Repeat.AT_MOST_ONCE,
        "notify": Repeat.AT_MOST_ONCE,
        "alert": Repeat.AT_LEAST_ONCE,
    }


def test_a_preset_is_overridden_key_by_key(file: Path) -> None:
    """A supplier's table wins over its preset; words of `types` and `statuses` come on top of the preset's."""
    plain = loaded(file, ACME).suppliers["acme"]
    ours = loaded(
        file,
        ACME + 'signature_header = "X-Ours"\nmap = { reference = "/ref", statuses = { shipped = "fulfilled" } }',
    ).suppliers["acme"]

    assert ours.scheme != plain.scheme
    assert [str(place) for place in ours.mapping.reference] == ["/ref"]
    assert ours.mapping.order_id == plain.mapping.order_id
    assert set(ours.mapping.statuses or ()) == {*(plain.mapping.statuses or ()), "shipped"}


def test_a_return_window_comes_from_the_preset_and_can_be_overridden(file: Path) -> None:
    """Where the preset knows how long a supplier takes orders back, nobody need look it up."""
    kinguin = ACME.replace("generic", "kinguin")

    preset = loaded(file, kinguin).suppliers["acme"].policy.return_window_ms
    own = loaded(file, kinguin + 'return_window = "1h"').suppliers["acme"].policy.return_window_ms

    assert (preset, own) == (86_400_000, 3_600_000)


def test_a_scheme_can_stand_without_a_preset(file: Path) -> None:
    """A supplier that no preset knows is described in its own table."""
    supplier = loaded(
        file,
        STORE
        + '[suppliers.own]\nsecrets = ["env:X"]\nsignature_header = "X-Sig"\n'
        + 'map = { reference = "/r", status = "/s", statuses = { ok = "fulfilled" } }',
    ).suppliers["own"]

    assert supplier.preset is None
    assert supplier.policy.codes is CodesRule.REQUIRED


SETTABLE = [
    *("store", "store.url", "store.keys", "serve", "serve.listen", "serve.max_body", "serve.tls_cert", "serve.grace"),
    *("suppliers", "suppliers.x", "suppliers.acme.secrets", "suppliers.acme.preset", "suppliers.acme.sla"),
    *("serve.admin", "serve.admin_token", "alarms", "alarms.undelivered_after", "suppliers.acme.low_balance"),
    *("suppliers.acme.codes", "suppliers.acme.map", "suppliers.acme.map.types", "suppliers.acme.signed"),
    *("suppliers.acme.signature_header", "suppliers.acme.tolerance", "suppliers.acme.params", "suppliers.acme.kind"),
    *("replay", "replay.targets"),
    *("actions", "actions.refund", "actions.deliver.http", "actions.deliver.command", "actions.deliver.secret"),
    *("actions.deliver.retry", "actions.deliver.retry.first", "actions.deliver.repeat", "actions.deliver.timeout"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([CANARY, "env:X", "1s"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(dotted=st.sampled_from(SETTABLE), value=VALUES)
def test_whatever_is_set_is_taken_or_refused_in_words(file: Path, dotted: str, value: object) -> None:
    """No value at any place makes anything but settings or a sentence."""
    file.write_text(ACME + SHOP.removeprefix(STORE))

    try:
        said = str(load(file, {}, {dotted: value}).source)
    except SettingsError as error:
        said = str(error)

    assert said.startswith((str(file), "--"))


def test_settings_hold_no_secret(file: Path, secret_file: Path) -> None:
    """Whatever of the settings is printed, no secret is in it."""
    settings = loaded(file, ACME.replace("env:ACME", "file:a.secret") + SHOP.removeprefix(STORE), SHOP=CANARY)
    settings.read(settings.suppliers["acme"].secrets, {})

    assert secret_file.exists()
    assert CANARY not in repr(settings) + str(settings)


def test_settings_are_frozen(file: Path) -> None:
    """Nothing changes settings that were checked."""
    settings = loaded(file, ACME)

    for table, key in ((settings, "demo"), (settings.serve, "listen"), (settings.suppliers["acme"], "sla")):
        with pytest.raises((AttributeError, ValueError)):
            setattr(table, key, None)
