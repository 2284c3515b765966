"""Plants bugs in a copy of the program, each of which must turn a test red: `python -m tests.chaos.mutants`."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("webhookctl", "tests", "sample_payloads", "pyproject.toml", "README.md")
_PATIENCE_S = 60
"""For one test, on a machine that has other things to do."""
_ORDERS = "webhookctl/core/orders"
_STORE = "webhookctl/adapters/store_sqlite"
_SIGNATURES = "webhookctl/core/signatures"


@dataclass(frozen=True)
class Edit:
    """What of a file is replaced; it stands there once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug, and the smallest test that must see it."""

    bug: str
    test: str
    edits: tuple[Edit, ...]


def _mutant(bug: str, test: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(bug, test, tuple(Edit(*edit) for edit in edits))


MUTANTS = (
    _mutant(
        "acknowledge before the commit",
        "tests/server/test_batcher.py::test_a_future_is_resolved_only_when_its_batch_is_committed",
        (
            "webhookctl/server/batcher.py",
            "        commit = self._thread.submit(",
            "        [waiting.answer(None) for waiting in batch]\n        commit = self._thread.submit(",
        ),
    ),
    _mutant(
        "synchronous = NORMAL",
        "tests/chaos/test_power.py",
        (f"{_STORE}/connection.py", "'FULL' if self.journal", "'NORMAL' if self.journal"),
    ),
    _mutant(
        "go on after a failed fsync",
        "tests/store/test_sqlite_faults.py::test_after_a_failed_fsync_nothing_is_committed_any_more",
        (f"{_STORE}/connection.py", "== _IOERR and not self._is_out", "== _FULL and not self._is_out"),
    ),
    _mutant(
        "a failed disk is synced once more in closing",
        "tests/chaos/test_faults.py::test_a_disk_that_fails",
        (
            f"{_STORE}/connection.py",
            "if self._broken is None:\n                self._raw",
            "if True:\n                self._raw",
        ),
    ),
    _mutant(
        "deferred BEGIN",
        "tests/store/test_sqlite_faults.py::test_four_stores_on_one_file_lose_nothing_and_do_nothing_twice",
        (f"{_STORE}/connection.py", '"BEGIN IMMEDIATE"', '"BEGIN"'),
    ),
    _mutant(
        "a new webhook-id for each attempt",
        "tests/actions/test_action_http.py::test_each_attempt_has_the_same_id",
        (
            "webhookctl/adapters/action_http.py",
            "self._signed(task.action.id,",
            'self._signed(str(__import__("uuid").uuid4()),',
        ),
    ),
    _mutant(
        "an action is settled without its claim",
        "tests/store/test_outbox_contract.py::test_settling_needs_the_claim",
        (
            f"{_STORE}/outbox.py",
            "restrained_detail FROM actions\n    WHERE id = ? AND claim = ? AND",
            "restrained_detail FROM actions\n    WHERE id = ? AND ? IS NOT NULL AND",
        ),
    ),
    _mutant(
        "an event is applied without its claim",
        "tests/store/test_intake_contract.py::test_whoever_lost_the_claim_writes_nothing",
        (f"{_STORE}/applying.py", "and claim == application.claim", "and claim is not None"),
    ),
    _mutant(
        "what another has taken up is handled again all the same",
        "tests/store/test_events_contract.py::test_what_is_handled_again_is_written_while_it_stands_as_it_was_read",
        (f"{_STORE}/applying.py", "return state == application.before and not claimed", "return True"),
    ),
    _mutant(
        "a replay tells people again what they were told",
        "tests/replaying/test_handling_again.py::test_what_was_handled_is_not_done_twice_nor_told_twice",
        ("webhookctl/flows/handling.py", "advance_again if reading.had_its_say(found) else advance", "advance"),
    ),
    _mutant(
        "a delivery is repeated under a new id before the one before has ended",
        "tests/cli/test_replay.py::test_a_second_time_waits_for_the_first",
        (f"{_ORDERS}/deciding.py", "if newest.state is not ActionState.DONE:", "if False:"),
    ),
    _mutant(
        "of a batch that was raced the stale order is written all the same",
        "tests/test_apply.py::test_one_that_can_not_be_written_leaves_the_others",
        (
            f"{_STORE}/order_rows.py",
            "executemany(_UPDATE, known).rowcount != len(known)",
            "executemany(_UPDATE, known) is None",
        ),
    ),
    _mutant(
        "a pruned order moves like any other",
        "tests/store/test_sqlite_pruned.py::test_nothing_is_delivered_again",
        (f"{_ORDERS}/advancing.py", "order.pruned_at is not None:", "order.pruned_at == 0:"),
    ),
    _mutant(
        "a pruned event forgets its key",
        "tests/store/test_sqlite_pruned.py::test_a_captured_delivery_is_known_for_ever",
        (
            f"{_STORE}/pruning.py",
            "    raw.execute(_DROP_EVENTS, (listed,))",
            "    raw.execute('DELETE FROM event_keys')\n    raw.execute(_DROP_EVENTS, (listed,))",
        ),
    ),
    _mutant(
        "an undelivered order is pruned",
        "tests/store/test_sqlite_pruning.py::test_what_is_not_over_stays_whole",
        (f"{_STORE}/pruning.py", "(a.state NOT IN ('done', 'cancelled') OR a.fin", "(a.fin"),
    ),
    _mutant(
        "a backup holds no read transaction open while it copies",
        "tests/store/test_sqlite_backup.py::test_a_copy_never_begins_again",
        (
            f"{_STORE}/backing_up.py",
            'raw.execute("SELECT count(*) FROM sqlite_master").fetchone()',
            'raw.execute("COMMIT")',
        ),
    ),
    _mutant(
        "a backup mixes a WAL with the one that was begun anew in its place",
        "tests/store/test_sqlite_backup.py::test_a_wal_that_is_begun_anew",
        (f"{_STORE}/backing_up.py", "if copyist.copy(_WAL, 0, _HEAD) ==", "if True or copyist.copy(_WAL, 0, _HEAD) =="),
    ),
    _mutant(
        "a backup is called one before it is checked",
        "tests/store/test_sqlite_backup.py::test_a_damaged_copy_is_not_put_in_place",
        (f"{_STORE}/backing_up.py", "check(target, file.fileno(), cipher, pace, advance)", "0"),
    ),
    _mutant(
        "a hint is believed",
        "tests/core/test_holding.py::test_a_hint_makes_no_order",
        (f"{_ORDERS}/advancing.py", "if event.hint else", "if False else"),
    ),
    _mutant(
        "a reference known elsewhere gets past its hold by coming without codes first",
        "tests/core/test_holding.py::test_a_reference_known_elsewhere_is_held_though_its_codes_come_later",
        (f"{_ORDERS}/advancing.py", "replace(before, held=hold), event, policy", "before, event, policy"),
    ),
    _mutant(
        "what was refunded while nobody knew is delivered when it is tried again",
        "tests/store/test_deciding_contract.py::test_what_came_meanwhile_counts_when_it_is_tried_again",
        (f"{_STORE}/outbox.py", "ELSE coalesce(restrained, 'waiting') END", "ELSE 'waiting' END"),
    ),
    _mutant(
        "a person's release gives the code though the money went back",
        "tests/core/test_decisions.py::test_what_can_not_be_let_go",
        (f"{_ORDERS}/deciding.py", "and effect and not although_refunded", "and () and not although_refunded"),
    ),
    _mutant(
        "anybody registers orders",
        "tests/server/test_admin.py::test_without_the_token_nothing_is_registered",
        ("webhookctl/server/admin.py", "and bool(self.token) and same", "and bool(self.token)"),
    ),
    _mutant(
        "parse before verifying",
        "tests/chaos/test_unproven.py::test_nothing_unsigned_is_parsed",
        (
            "webhookctl/server/receiver.py",
            "        verified = admit(",
            '        __import__("orjson").loads(delivery.body)\n        verified = admit(',
        ),
    ),
    _mutant(
        "signatures compared with ==",
        "tests/core/test_signatures.py::test_signatures_are_never_compared_as_text",
        (
            f"{_SIGNATURES}/proofs.py",
            "partial(hmac.compare_digest, key.mac(message, algorithm))",
            "(lambda expected: lambda signature: expected == signature)(key.mac(message, algorithm))",
        ),
    ),
    _mutant(
        "signatures compared up to the shorter",
        "tests/chaos/test_unproven.py::test_a_part_of_a_signature_is_none",
        (f"{_SIGNATURES}/proofs.py", 'return value if len(value) == size else b""', "return value"),
        (
            f"{_SIGNATURES}/proofs.py",
            "partial(hmac.compare_digest, key.mac(message, algorithm))",
            "(lambda mac: lambda sent: hmac.compare_digest(mac[: len(sent)], sent))(key.mac(message, algorithm))",
        ),
    ),
    _mutant(
        "no look at timestamps from the future",
        "tests/core/test_signatures.py::test_the_window",
        (f"{_SIGNATURES}/verification.py", "if abs(skew_ms) <= tolerance", "if skew_ms <= tolerance"),
    ),
    _mutant(
        "an empty secret is accepted",
        "tests/core/test_signature_schemes.py",
        (f"{_SIGNATURES}/keys.py", "if not secret.value.strip():", "if False:"),
        (f"{_SIGNATURES}/keys.py", "if not value:", "if False:"),
        (f"{_SIGNATURES}/keys.py", "if len(key.value) < SHORTEST and", "if 0 < len(key.value) < SHORTEST and"),
    ),
    _mutant(
        "no deadline for a client's head",
        "tests/server/test_abuse.py::test_whoever_vanished_is_not_waited_for",
        ("webhookctl/server/protocol.py", "elif age >= limits.head_s:", "elif False:"),
    ),
    _mutant(
        "no deadline for calls",
        "tests/actions/test_outbound.py::test_silence_ends_at_the_deadline",
        ("webhookctl/adapters/outbound.py", "asyncio.timeout(timeout_s)", "asyncio.timeout(None)"),
    ),
    _mutant(
        "redirects are followed",
        "tests/actions/test_outbound.py::test_redirect_is_an_answer",
        (
            "webhookctl/adapters/outbound.py",
            "self._transport.handle_async_request(request)",
            "httpx.AsyncClient(transport=self._transport, follow_redirects=True).send(request, stream=True)",
        ),
    ),
    _mutant(
        "codes in clear at rest",
        "tests/store/test_sqlite_secrecy.py::test_no_code_pin_body_or_header_is_in_the_file",
        (
            f"{_STORE}/sealing.py",
            'return cipher.seal(code.reveal().encode("utf-8", "surrogatepass"), bound_to_place(place))',
            "return code.reveal().encode()",
        ),
    ),
    _mutant(
        "bodies in clear at rest",
        "tests/store/test_sqlite_secrecy.py::test_no_code_pin_body_or_header_is_in_the_file",
        (
            f"{_STORE}/sealing.py",
            "cipher.seal(packed, bound_to_delivery",
            "(lambda clear, _: clear)(packed, bound_to_delivery",
        ),
        (
            f"{_STORE}/sealing.py",
            "cipher.open(sealed, bound_to_delivery",
            "(lambda clear, _: clear)(sealed, bound_to_delivery",
        ),
    ),
    _mutant(
        "the store is readable by others",
        "tests/store/test_sqlite_file.py::test_nobody_else_can_read_it",
        (f"{_STORE}/place.py", "_PRIVATE: Final = 0o600", "_PRIVATE: Final = 0o644"),
    ),
    _mutant(
        "escapes reach the terminal",
        "tests/e2e/test_main_job.py::test_terminal_escapes_are_shown_escaped",
        ("webhookctl/core/redaction.py", "if text.isascii() and text.isprintable():", "if True:"),
    ),
    _mutant(
        "markup on",
        "tests/chaos/test_terminal.py",
        ("webhookctl/cli/output.py", "return Console(markup=False", "return Console(markup=True"),
        (
            "webhookctl/cli/output.py",
            "in body:\n        _write(sys.stdout, part)",
            "in body:\n        _console().print(part)",
        ),
    ),
)


def unfit(root: Path) -> list[str]:
    """Name the edits that do not fit the source any more: each must find its text once."""
    return [
        f"{mutant.bug}: {edit.file} has {found} of {edit.old!r}"
        for mutant in MUTANTS
        for edit in mutant.edits
        if (found := (root / edit.file).read_text("utf-8").count(edit.old)) != 1
    ]


def copy_to(folder: Path) -> None:
    """Copy what the tests need."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)


def is_green(folder: Path, tests: Collection[str]) -> bool:
    """Run these tests on the program in `folder`; what hangs is red."""
    environ = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(  # noqa: S603 - our own tests
            command, cwd=folder, env=environ, capture_output=True, check=False, timeout=_PATIENCE_S * len(tests)
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout.decode()}")
    return done.returncode == 0


def is_caught(folder: Path, mutant: Mutant) -> bool:
    """Plant the bug in `folder`, run its test, and take it out again."""
    before = {edit.file: (folder / edit.file).read_text("utf-8") for edit in mutant.edits}
    for edit in mutant.edits:
        path = folder / edit.file
        path.write_text(path.read_text("utf-8").replace(edit.old, edit.new), "utf-8")
    try:
        return not is_green(folder, [mutant.test])
    finally:
        for file, text in before.items():
            (folder / file).write_text(text, "utf-8")


def say(*lines: str) -> None:
    """Write lines of the table, each as soon as it is known."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def main() -> int:
    """Print a line per bug; 1 where one is not caught, or a test is red without any."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_to(folder)
        missing = unfit(folder)
        if missing or not is_green(folder, dict.fromkeys(mutant.test for mutant in MUTANTS)):
            say(*missing or ["The tests are red without a bug: that they are red with one says nothing."])
            return 1
        width = max(len(mutant.bug) for mutant in MUTANTS)
        missed = 0
        for mutant in MUTANTS:
            caught = is_caught(folder, mutant)
            missed += not caught
            say(f"{mutant.bug:<{width}}  {'caught' if caught else 'MISSED'}  {mutant.test}")
    say(f"{len(MUTANTS) - missed} of {len(MUTANTS)} planted bugs are caught.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
