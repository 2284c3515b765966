"""Settings are right, or refused in words that say where and what to do."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from webhookctl.config import Address, SecretRef, Settings, demo_settings, find, load, make_demo, refuse_public
from webhookctl.core.errors import SettingsError
from webhookctl.core.orders import ActionKind, CodesRule
from webhookctl.core.ports.handler import Repeat

CANARY = "canary-3f9c1e7a5b2d"
STORE = '[store]\nurl = "sqlite:webhookctl.db"\nkeys = ["file:webhookctl.key"]\n'
ACME = STORE + '[suppliers.acme]\npreset = "generic"\nsecrets = ["env:ACME"]\n'
SHOP = STORE + '[actions.deliver]\nhttp = "http://127.0.0.1:8000/x"\nsecret = "env:SHOP"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "webhookctl.toml"


def loaded(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text)
    return load(file, environ)


NOTIFY = STORE + "[actions.alert]\nnotify = ['env:X']\n"


def refusal(file: Path, text: str | bytes, **environ: str) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(file, environ)
    return str(caught.value)


def test_reads_everything_that_can_be_set(file: Path) -> None:
    """Each key arrives as its value: paths absolute, durations in milliseconds, sizes in bytes."""
    settings = loaded(
        file,
        """
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
        """,
    )

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


def test_environment_wins_over_file_and_flags_over_both(file: Path) -> None:
    """Flags, environment, file: the first that says something holds."""
    file.write_text(ACME + '[serve]\nlisten = "127.0.0.1:1"\ngrace = "1s"\nmax_body = "1MiB"')
    environ = {"WEBHOOKCTL_SERVE__LISTEN": "127.0.0.1:2", "WEBHOOKCTL_SERVE__GRACE": "2s"}

    settings = load(file, environ, {"serve.listen": "127.0.0.1:3"})

    assert settings.serve.listen.port == 3
    assert settings.serve.grace == 2000
    assert settings.serve.max_body == 1024 * 1024


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOKCTL_SUPPLIERS__ACME_EU__SECRETS", '["env:A", "env:B"]'),
        ("WEBHOOKCTL_SUPPLIERS__ACME_EU__ALLOW_SHORT", "true"),
        ("WEBHOOKCTL_SERVE__LISTEN", "[::1]:8700"),
        ("WEBHOOKCTL_ACTIONS__ALERT__COMMAND", '["/bin/true"]'),
    ],
)
def test_environment_reaches_every_kind_of_value(file: Path, name: str, value: str) -> None:
    """Lists and booleans are written as in TOML; a hyphen in a supplier's name is an underscore."""
    text = ACME.replace("acme", "acme-eu") + "[actions.alert]\n" + ("" if "COMMAND" in name else "log = true")
    settings = loaded(file, text, **{name: value})

    acme = settings.suppliers["acme-eu"]
    seen = {
        "SECRETS": list(map(str, acme.secrets)) == ["env:A", "env:B"],
        "SHORT": acme.allow_short,
        "LISTEN": settings.serve.listen.host == "::1",
        "COMMAND": settings.actions.alert.command == ("/bin/true",),
    }
    assert seen[name.rpartition("_")[2]]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "WEBHOOKCTL_STORE_URL",
            "x",
            "variable WEBHOOKCTL_STORE_URL is no setting; did you mean WEBHOOKCTL_STORE__URL?",
        ),
        ("WEBHOOKCTL_SERVE__LISTN", "x", "did you mean WEBHOOKCTL_SERVE__LISTEN?"),
        ("WEBHOOKCTL_SUPPLIERS__ACME__SEKRETS", "x", "did you mean WEBHOOKCTL_SUPPLIERS__ACME__SECRETS?"),
        ("WEBHOOKCTL_SERVE__LISTEN", CANARY, "serve.listen (set by WEBHOOKCTL_SERVE__LISTEN) must be an address"),
        (
            "WEBHOOKCTL_STORE__KEYS",
            f'["{CANARY}"]',
            "store.keys[0] (set by WEBHOOKCTL_STORE__KEYS) must be a reference",
        ),
        ("WEBHOOKCTL_STORE__URL__X", "x", "WEBHOOKCTL_STORE__URL__X sets store.url.x, but url holds no other settings"),
        ("WEBHOOKCTL_", "x", "the environment variable WEBHOOKCTL_ is no setting"),
    ],
)
def test_a_mistyped_variable_is_refused(file: Path, name: str, value: str, words: str) -> None:
    """A variable of ours that means nothing is refused with the nearest right one, its value unseen."""
    sentence = refusal(file, ACME, **{name: value})

    assert words in sentence
    assert CANARY not in sentence


@pytest.mark.parametrize(
    "variable",
    [
        "WEBHOOKCTL_CONFIG=x.toml",
        "WEBHOOKCTL_TRACEBACK=1",
        "WEBHOOKCTL_REFERENCE=ORD-1",
        "WEBHOOKCTL_SERVICE_HOST=10.0.0.1",
        "WEBHOOKCTL_PORT=tcp://10.0.0.1:8700",
        "WEBHOOKCTL_PORT_8700_TCP_ADDR=10.0.0.1",
        "WEBHOOKCTL_ACME_SECRET=x",
    ],
)
def test_variables_that_are_no_settings_pass(file: Path, variable: str) -> None:
    """The command line's own, a handler's, Kubernetes' and those that hold a referenced secret are left alone."""
    name, _, value = variable.partition("=")

    settings = loaded(file, ACME.replace("env:ACME", "env:WEBHOOKCTL_ACME_SECRET"), **{name: value})

    assert list(settings.suppliers) == ["acme"]


def test_finds_the_nearest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config, WEBHOOKCTL_CONFIG, the working folder, the user's, the system's: the first that there is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    flag, named, cwd = tmp_path / "flag.toml", tmp_path / "named.toml", tmp_path / "cwd"
    user, system = tmp_path / "user/webhookctl/webhookctl.toml", tmp_path / "etc/webhookctl.toml"
    files = [flag, named, cwd / "webhookctl.toml", user, system]
    for each in files:
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()

    found = []
    for number in range(5):
        environ = {"WEBHOOKCTL_CONFIG": str(named)} if number < 2 else {}
        found.append(find(flag if number < 1 else None, environ, cwd, system=system))
        files[number].unlink()

    assert found == files
    assert find(None, {"WEBHOOKCTL_CONFIG": ""}, cwd, system=system) is None


@pytest.mark.parametrize("by", ["flag", "variable"])
def test_a_named_file_must_be_there(tmp_path: Path, by: str) -> None:
    """A settings file that was asked for is never silently passed over for another."""
    explicit = Path("gone.toml") if by == "flag" else None
    environ = {"WEBHOOKCTL_CONFIG": "gone.toml"} if by == "variable" else {}

    with pytest.raises(
        SettingsError, match=r"There is no settings file gone\.toml, which .*(--config|VIG|CONFIG) names"
    ):
        find(explicit, environ, tmp_path)


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


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.secret"
    path.write_text(CANARY)
    path.chmod(0o600)
    return path


def test_secrets_are_read_from_each_source(tmp_path: Path, secret_file: Path) -> None:
    """A variable, a file beside the settings, an absolute path, a credential: each gives the same secret."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "a.secret").write_text(CANARY)
    (credentials / "a.secret").chmod(0o440)  # as systemd leaves it where it sets an ACL
    environ = {"A": CANARY, "CREDENTIALS_DIRECTORY": str(credentials)}

    for reference in ("env:A", "file:a.secret", f"file:{secret_file}", "credential:a.secret"):
        secret = SecretRef.parse(reference).read(environ, tmp_path)

        assert secret.value == CANARY.encode()
        assert secret.reference == reference
        assert CANARY not in repr(secret)


def test_without_systemd_a_credential_is_the_file_beside_the_settings(tmp_path: Path, secret_file: Path) -> None:
    """One settings file serves the service and the operator's shell; the file's mode counts as ever."""
    reference = SecretRef.parse("credential:a.secret")

    assert reference.read({}, tmp_path).value == CANARY.encode()
    secret_file.chmod(0o644)
    with pytest.raises(SettingsError, match="has mode 0644"):
        reference.read({}, tmp_path)


@pytest.mark.parametrize(
    ("raw", "value"), [(b"s\n", b"s"), (b"s\r\n", b"s"), (b"s", b"s"), (b"a\nb\n", b"a\nb"), (b"\xc3\xa9", b"\xc3\xa9")]
)
def test_one_newline_at_the_end_goes(tmp_path: Path, secret_file: Path, raw: bytes, value: bytes) -> None:
    """The newline that an editor puts there is no part of the secret."""
    secret_file.write_bytes(raw)

    assert SecretRef.parse("file:a.secret").read({}, tmp_path).value == value


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x\n\n", "begins or ends with white space"),
        (b"x\t\n", "begins or ends with white space"),
        (b"\xef\xbb\xbfx", "begins with a byte order mark"),
        (b"x" * 70_000, "holds more than 65536 bytes"),
    ],
)
def test_a_spoilt_secret_file_is_refused(tmp_path: Path, secret_file: Path, raw: bytes, words: str) -> None:
    """What an editor or a wrong path did to a secret is said, before it costs a night."""
    secret_file.write_bytes(raw)

    with pytest.raises(SettingsError, match=f"file:a.secret {words}"):
        SecretRef.parse("file:a.secret").read({}, tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o700, 0o666, 0o4600])
def test_a_secret_file_others_can_reach_is_refused(tmp_path: Path, secret_file: Path, mode: int) -> None:
    """Any mode but 0600 and 0400 is refused with what to do."""
    secret_file.chmod(mode)

    with pytest.raises(SettingsError, match=rf"has mode {mode:04o}; it must be 0600: chmod 600 ") as caught:
        SecretRef.parse("file:a.secret").read({}, tmp_path)
    assert CANARY not in str(caught.value)

    secret_file.chmod(0o400)
    assert SecretRef.parse("file:a.secret").read({}, tmp_path).value == CANARY.encode()


def test_a_strangers_secret_file_is_refused(tmp_path: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the file can change the secret: it must be us or root."""
    owner = secret_file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:  # root's own files are right for everybody, so this one must be another's
        os.chown(secret_file, 4321, -1)

    with pytest.raises(SettingsError, match="belongs to another user"):
        SecretRef.parse("file:a.secret").read({}, tmp_path)


def special_files(folder: Path) -> Iterator[tuple[str, str]]:
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe", 0o600)
    yield "folder", "is a directory"
    yield "pipe", "is no regular file"
    yield "gone", "no such file"


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to and a missing file are each said."""
    for name, words in special_files(tmp_path):
        with pytest.raises(SettingsError, match=words):
            SecretRef.parse(f"file:{name}").read({}, tmp_path)


@pytest.mark.parametrize(
    ("reference", "environ", "words"),
    [
        ("env:NOPE", {}, "env:NOPE is not set"),
        ("env:X", {"X": ""}, "env:X is empty"),
        ("env:X", {"X": "a "}, "env:X begins or ends with white space"),
        ("credential:x", {"CREDENTIALS_DIRECTORY": "gone"}, "add LoadCredential=x:PATH to its unit"),
    ],
)
def test_an_absent_secret_is_said(tmp_path: Path, reference: str, environ: dict[str, str], words: str) -> None:
    """What is not there is named with what to do."""
    with pytest.raises(SettingsError, match=words):
        SecretRef.parse(reference).read(environ, tmp_path)


@pytest.mark.parametrize(
    "written", ["", "env:", "env:1X", "env:A B", "file:", "file:a/", "file:a\0b", "credential:../x", "credential:..", 3]
)
def test_a_crooked_reference_is_refused(written: object) -> None:
    """A reference names exactly one variable, file or credential."""
    with pytest.raises(SettingsError, match=r"^must "):
        SecretRef.parse(written)


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
