"""From facts to findings: each rule says what is wrong and what to do."""

import stat
from dataclasses import replace
from ipaddress import ip_network

import pytest

from webhookctl.core.checkup import (
    Area,
    Asked,
    DiskFact,
    FileFact,
    Finding,
    Opened,
    Person,
    Role,
    Starting,
    StoreFact,
    Verdict,
    must_fix,
    ok,
    warning,
)
from webhookctl.core.orders import ActionKind
from webhookctl.core.signatures import Scheme, Secret
from webhookctl.flows.doctor import clock, counted, exposure, files, network, secrets, sorted_by_weight, store, work

MINUTE, DAY = 60_000, 86_400_000
NOW = 1_790_000_000_000
SERVICE = Person(1000, "webhookctl", frozenset({1000}))
ROOT = Person(0, "root")
SHOP = Asked("https://shop.example/in", 204)
MUST, WARN, FINE = Verdict.MUST_FIX, Verdict.WARNING, Verdict.OK


def verdicts(findings: list[Finding]) -> list[Verdict]:
    return [one.verdict for one in findings]


def test_what_must_be_fixed_comes_first_and_all_is_counted() -> None:
    """Else the order stays as it was, so that one area is together."""
    found = [
        ok(Area.FILES, "1", ""),
        warning(Area.FILES, "2", "", ""),
        must_fix(Area.WORK, "3", "", ""),
        ok(Area.CLOCK, "4", ""),
    ]

    shown = sorted_by_weight(found)

    assert [one.name for one in shown] == ["3", "2", "1", "4"]
    assert counted(shown) == "1 must be fixed, 1 warning, 2 ok."


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (-10, "Our clock is 10 min behind that of acme. What it sends looks from the future and is rejected"),
        (10, "Our clock is 10 min ahead of that of acme. What it sends looks too old and is rejected"),
    ],
)
def test_a_skew_beyond_the_tolerance_must_be_fixed(minutes: int, words: str) -> None:
    """Its direction is said in words, and what comes of it."""
    (found,) = clock.findings({"acme": replace(SHOP, skew_ms=minutes * MINUTE)}, {"acme": 5 * MINUTE})

    assert found.verdict is MUST
    assert found.says.startswith(words)
    assert "its scheme allows 5 min" in found.says
    assert "set-ntp" in found.do


@pytest.mark.parametrize(
    ("skew", "tolerances", "verdict", "words"),
    [
        (3_000, {}, FINE, "agree"),
        (-40_000, {"acme": 5 * MINUTE}, WARN, "Beyond 5 min what it sends would look from the future"),
        (6 * MINUTE, {}, MUST, "The shop may refuse our deliveries"),
        (40_000, {"acme": 30_000}, MUST, "its scheme allows 30 s"),
        (-2 * DAY, {}, MUST, "Our clock is 2 d behind"),
    ],
)
def test_a_skew_is_judged_by_who_would_refuse(
    skew: int, tolerances: dict[str, int], verdict: Verdict, words: str
) -> None:
    """A few seconds are none; a supplier that signs a time has its own bounds, the shop's libraries theirs."""
    (found,) = clock.findings({"acme": replace(SHOP, skew_ms=skew)}, tolerances)

    assert (found.verdict, words in found.says) == (verdict, True), found.says


def test_a_clock_that_alone_is_off_is_the_suppliers() -> None:
    """Where most agree with ours, ours is right."""
    asked = {name: replace(SHOP, skew_ms=skew) for name, skew in (("a", 0), ("b", 10 * MINUTE), ("c", 500))}

    found = list(clock.findings(asked, {"b": 5 * MINUTE}))

    assert verdicts(found) == [FINE, WARN, FINE]
    assert "The other clocks agree with ours" in found[1].says


def test_nobody_says_the_time() -> None:
    """Then nothing is said of it."""
    assert list(clock.findings({"acme": SHOP}, {})) == []


@pytest.mark.parametrize(
    ("asked", "verdict", "words"),
    [
        (Asked("x", 200), FINE, "knows us"),
        (Asked("x", 404), FINE, "knows us"),
        (Asked("x", 401), MUST, "auth"),
        (Asked("x", 403), MUST, "auth"),
        (Asked("x", refused="x gives no token."), MUST, "x gives no token"),
        (Asked("x", 302), MUST, "redirect"),
        (Asked("x", 429), WARN, "rate"),
        (Asked("x", 500), WARN, "it is not well"),
        (Asked("x", unreached="x has a name that can't be resolved."), MUST, "a name that"),
        (Asked("x", unreached="x did not answer within 5 s.", sent=True), WARN, "within 5 s"),
    ],
)
def test_a_suppliers_api(asked: Asked, verdict: Verdict, words: str) -> None:
    """What only the operator can mend must be fixed; a supplier that is down is a warning."""
    (found,) = network.of_supplier("acme", asked, NOW)

    assert (found.verdict, words in found.says + found.do) == (verdict, True), found


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [
        (204, FINE, "takes our signature"),
        (302, MUST, "redirect"),
        (400, WARN, "refuses our signature, or does not know pings"),
        (401, WARN, "login"),
        (404, WARN, "nothing at this path"),
        (405, WARN, "takes no POST"),
        (410, WARN, "nobody wants deliveries"),
        (422, WARN, "does not take pings"),
        (500, WARN, "broke down"),
    ],
)
def test_a_shops_answer_to_a_ping(status: int, verdict: Verdict, words: str) -> None:
    """A refusal says what it means."""
    (found,) = network.of_shop("actions.deliver", replace(SHOP, status=status), NOW)

    assert (found.verdict, words in found.says) == (verdict, True), found


def test_a_certificate_that_ends_soon() -> None:
    """Two weeks before its end there is a warning, long before none."""
    soon = list(network.of_shop("x", replace(SHOP, certificate_ends=NOW + 5 * DAY), NOW))
    late = list(network.of_shop("x", replace(SHOP, certificate_ends=NOW + 80 * DAY), NOW))

    assert verdicts(soon) == [FINE, WARN]
    assert "ends in 5 days" in soon[1].says
    assert verdicts(late) == [FINE]


def file(role: Role, mode: int, uid: int = 1000, gid: int = 1000, others: str | None = None) -> FileFact:
    kind = stat.S_IFDIR if role is Role.FOLDER else stat.S_IFREG
    return FileFact(role, "name", "/path", kind | mode, uid, gid, others)


@pytest.mark.parametrize(
    ("fact", "verdict", "words"),
    [
        (file(Role.SECRET, 0o600), FINE, "as it should be"),
        (file(Role.SECRET, 0o600, uid=0), MUST, "can't be read by webhookctl"),
        (file(Role.SECRET, 0o640), MUST, "chmod 600 /path"),
        (file(Role.SECRET, 0o644, uid=1001), MUST, "can be changed by its owner, user id 1001"),
        (file(Role.CREDENTIAL, 0o600, uid=0), FINE, "as it should be"),
        (file(Role.SETTINGS, 0o640, uid=0), FINE, "as it should be"),
        (file(Role.SETTINGS, 0o640, uid=0, gid=0), MUST, "can't be read by webhookctl"),
        (file(Role.SETTINGS, 0o646, uid=0), MUST, "can be changed by everybody, and it names programs to run"),
        (file(Role.STORE, 0o600, uid=0), MUST, "chown webhookctl /path"),
        (file(Role.STORE, 0o604), MUST, "can be read by others"),
        (file(Role.FOLDER, 0o700), FINE, "as it should be"),
        (file(Role.FOLDER, 0o500), MUST, "can't be written to by webhookctl"),
        (file(Role.FOLDER, 0o770, others="its group"), MUST, "can be changed by its group, who could plant a journal"),
        (file(Role.PROGRAM, 0o755, uid=0), FINE, "as it should be"),
        (file(Role.PROGRAM, 0o744, uid=0), MUST, "can't be run by webhookctl"),
        (file(Role.PROGRAM, 0o757, uid=0), MUST, "can be changed by everybody, and it is run with the codes"),
        (file(Role.PROGRAM, 0o755, uid=1002), MUST, "can be changed by its owner, user id 1002"),
    ],
)
def test_a_files_owner_and_mode(fact: FileFact, verdict: Verdict, words: str) -> None:
    """The service must get at it, and nobody else may change it, or read what is secret."""
    (found,) = files.findings([fact], SERVICE, SERVICE)

    assert (found.verdict, words in found.says + found.do) == (verdict, True), found


@pytest.mark.parametrize(("us", "verdict"), [(ROOT, FINE), (Person(1001, "ann"), WARN)])
def test_whoever_looks_is_not_the_service(us: Person, verdict: Verdict) -> None:
    """Root sees all, and judges for the service; another user is told as whom to look."""
    found = files.findings([], us, SERVICE)

    assert [(one.verdict, "the store belongs to webhookctl" in one.says) for one in found] == [(verdict, True)]


SCHEME = Scheme.parse({"signature_header": "X-S"})
GOOD = "b8c1f0e97a6d5432b8c1f0e97a6d5432"


@pytest.mark.parametrize(
    ("value", "verdict", "words"),
    [
        (GOOD, FINE, "looks like a secret"),
        ("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", MUST, "PEM"),
        ("CHANGE-ME", MUST, "stands for a secret"),
        ("your secret goes here", MUST, "stands for a secret"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", MUST, "different characters"),
        (f'"{GOOD}"', WARN, "quotes"),
        (f"{GOOD} {GOOD}", WARN, "blanks"),
        (f"whsec_{GOOD}", WARN, "literally"),
        (f"sha256={GOOD}", WARN, "as a header does"),
    ],
)
def test_a_secrets_shape(value: str, verdict: Verdict, words: str) -> None:
    """What looks like a mistake is told, and never the secret."""
    found = secrets.of_shape("suppliers.acme.secrets[0]", Secret(value.encode(), "env:ACME"), SCHEME)

    assert (found.verdict, words in found.says) == (verdict, True), found
    assert value not in repr(found)
    assert GOOD not in repr(found)


def test_a_secret_at_two_suppliers() -> None:
    """Who knows one could pass for the other; the same twice at one is no matter, nor at two kinds for one shop."""
    same, own = Secret(GOOD.encode(), "env:A"), Secret(GOOD[::-1].encode(), "env:B")
    names = ("suppliers.a.secrets[0]", "suppliers.b.secrets[0]", "actions.deliver.secret", "actions.refund.secret")

    (found,) = secrets.of_doubles(dict(zip(names, (same, same, own, own), strict=True)))
    at_one = {"suppliers.a.secrets[0]": own, "suppliers.a.api.auth.token": own}

    assert list(secrets.of_doubles(at_one)) == []
    assert found.verdict is WARN
    assert "suppliers.a.secrets[0] and at suppliers.b.secrets[0]" in found.says


LISTENER = exposure.Listener("127.0.0.1:8700", True, False, (ip_network("127.0.0.0/8"),))


@pytest.mark.parametrize(
    ("listener", "wanted"),
    [
        (LISTENER, [FINE, FINE]),
        (replace(LISTENER, loopback=False), [WARN, FINE]),
        (replace(LISTENER, loopback=False, tls=True), [FINE, FINE]),
        (replace(LISTENER, trusted=()), [FINE, WARN]),
        (replace(LISTENER, trusted=(ip_network("::1"),)), [FINE, FINE]),
        (replace(LISTENER, trusted=(), by_address=("acme",)), [FINE, MUST]),
        (replace(LISTENER, trusted=(ip_network("0.0.0.0/0"),)), [FINE, MUST]),
        (replace(LISTENER, tls=True, certificate_ends=NOW - 1), [FINE, FINE, MUST]),
        (replace(LISTENER, tls=True, certificate_ends=NOW + DAY), [FINE, FINE, WARN]),
        (replace(LISTENER, tls=True, certificate_ends=NOW + 60 * DAY), [FINE, FINE, FINE]),
    ],
)
def test_a_listeners_exposure(listener: exposure.Listener, wanted: list[Verdict]) -> None:
    """Who can read what comes in, whose word is taken for an address, how long our certificate lasts."""
    assert verdicts(list(exposure.findings(listener, NOW))) == wanted


STORE = StoreFact("/shop.db", "3.53.4", whole=True, opened=(Opened("the newest event (1)"),))


@pytest.mark.parametrize(
    ("fact", "wanted"),
    [
        (STORE, [FINE, FINE, FINE]),
        (replace(STORE, wal=False), [WARN, FINE, FINE]),
        (replace(STORE, missing=True), [FINE, WARN]),
        (replace(STORE, fault="The store is damaged."), [FINE, MUST]),
        (replace(STORE, whole=False), [FINE, MUST, FINE]),
        (replace(STORE, whole=None), [FINE, FINE, FINE]),
        (replace(STORE, pending=2), [FINE, FINE, WARN, FINE]),
        (replace(STORE, opened=(Opened("the oldest event (1)", "It needs the key 0a."),)), [FINE, FINE, MUST]),
        (replace(STORE, opened=()), [FINE, FINE, FINE]),
    ],
)
def test_a_store(fact: StoreFact, wanted: list[Verdict]) -> None:
    """Missing, unusable, damaged, old, sealed under another key."""
    assert verdicts(list(store.findings(fact))) == wanted


@pytest.mark.parametrize(
    ("fact", "wanted"),
    [
        (DiskFact(10**12, 64 << 20), [FINE]),
        (DiskFact(100 << 20, 64 << 20), [WARN]),
        (DiskFact(10 << 20, 64 << 20), [MUST]),
        (DiskFact(10**12, 64 << 20, read_only=True), [MUST]),
        (DiskFact(10**12, 64 << 20, shared="nfs4"), [FINE, WARN]),
        (None, []),
    ],
)
def test_a_disk(fact: DiskFact | None, wanted: list[Verdict]) -> None:
    """Room, read-only, and file systems that others stand behind."""
    assert verdicts(list(store.of_disk(fact))) == wanted


def test_an_old_secret_that_can_go() -> None:
    """Once another has matched for days."""
    uses = {("acme", "env:OLD"): NOW - 5 * DAY, ("acme", "env:NEW"): NOW}

    (found,) = store.of_rotation(replace(STORE, secret_uses=uses), {"acme": ["env:NEW", "env:OLD"]})

    assert found.verdict is WARN
    assert "env:OLD of acme can go" in found.says


@pytest.mark.parametrize(
    ("listens", "beat", "verdict", "words"),
    [
        (True, NOW - 1000, FINE, "the work goes on"),
        (True, NOW - 600_000, WARN, "nobody works, for 10 min"),
        (True, None, WARN, "nobody works."),
        (False, NOW, WARN, "nobody listens"),
        (False, NOW - DAY, WARN, "Nobody serves now, for 1 d"),
        (False, None, WARN, "Nobody serves now."),
    ],
)
def test_whether_somebody_serves(listens: bool, beat: int | None, verdict: Verdict, words: str) -> None:  # noqa: FBT001 - pytest's parameter
    """By who listens, and by the last sign of life."""
    found = work.of_running(work.Running("127.0.0.1:8700", listens, beat, NOW))

    assert (found.verdict, words in found.says) == (verdict, True), found


@pytest.mark.parametrize(
    ("starting", "poll_every", "asked", "wanted"),
    [
        (Starting(("webhookctl.service",), ("webhookctl-poll.service",)), None, ["acme"], [FINE, FINE]),
        (Starting(("webhookctl.service",)), 300_000, ["acme"], [FINE, FINE]),
        (Starting(), None, ["acme"], [WARN, WARN]),
        (Starting(), None, [], [WARN, FINE]),
    ],
)
def test_what_starts_by_itself(
    starting: Starting, poll_every: int | None, asked: list[str], wanted: list[Verdict]
) -> None:
    """`serve` with the machine, and `poll` by `serve`, a timer or cron where somebody can be asked."""
    assert verdicts(list(work.of_starting(starting, poll_every, asked))) == wanted


def test_kinds_that_nobody_carries_out() -> None:
    """How many wait is said, and kinds that nothing waits for are named together."""
    some = list(work.of_kinds({ActionKind.ALERT}, {"deliver": 3, "alert": 1}))
    every = list(work.of_kinds(set(ActionKind), {}))

    assert [one.verdict for one in some] == [WARN, WARN]
    assert some[0].says == "3 wait for a handler: nobody carries out `deliver`."
    assert "refund, notify, top_up" in some[1].says
    assert verdicts(every) == [FINE]
