"""`events export` and `events import` as an operator uses them."""

import csv
import json
import os
import resource
import stat
import subprocess
import sys
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.cli.event_files import ENVIRON, REVEAL, Place, exported
from tests.store.building import NOW, verified
from tests.test_quarantine import said
from webhookctl.cli import streams
from webhookctl.core.deliveries import Via
from webhookctl.core.errors import StoreError, StoreFullError, UsageError
from webhookctl.core.events import EventState
from webhookctl.core.ports.events import EventQuery
from webhookctl.core.ports.orders import Reveal
from webhookctl.flows import event_files
from webhookctl.flows.event_files import Form
from webhookctl.flows.export import Export
from webhookctl.flows.selection import EVERYTHING


def test_an_export_shows_no_request(place: Place) -> None:
    """Oldest first, all that the list shows and nothing of the bodies; filtered as the list is."""
    lines = [json.loads(line) for line in place.run("export").stdout.splitlines()]
    only = place.run("export", "--type", "order.fulfilled", "--format", "csv").stdout

    assert [(one["id"], one["reference"]) for one in lines[:3]] == [(1, "ORD-0"), (2, "ORD-1"), (3, "ORD-2")]
    assert len(lines) == 5
    assert "body_base64" not in lines[0]
    assert [row["reference"] for row in csv.DictReader(only.splitlines())] == ["ORD-0", "ORD-1"]
    assert "CODE-" not in only
    assert place.store.events.reveals(4) == []


def test_whoever_wants_the_requests_says_why(place: Place) -> None:
    """Without a reason nothing is written; with one it is kept with each event, before a byte is out."""
    refused = place.run("export", "--reveal")
    work = Export(place.store.events, EventQuery(limit=EVERYTHING), Form.JSONL, Reveal(NOW, "ada", "moving"))
    parts = work.parts()
    assert next(parts) == b""
    before = place.store.events.reveals(1)
    next(parts)

    assert refused.exit_code == UsageError.exit_code or isinstance(refused.exception, UsageError)
    assert refused.stdout == ""
    assert before == []
    assert [place.store.events.reveals(number) for number in (1, 5)] == [[Reveal(NOW, "ada", "moving")]] * 2


def test_a_file_comes_back_to_the_byte(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """Body, headers, time of receipt and delivery id are as they were; each is proven anew, and says how it came."""
    out = exported(place)
    other = make("other")

    counts = other.counts(str(out), "--yes")

    assert counts == {"proven": 5}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    was, now = place.all(), other.all()
    assert [(one.body, one.headers, one.received_at, one.delivery_id) for one in now] == [
        (one.body, one.headers, one.received_at, one.delivery_id) for one in was
    ]
    assert {(one.via, one.matched, one.state) for one in now} == {(Via.IMPORT, "env:ACME", EventState.QUEUED)}


def test_what_is_here_is_found(place: Place) -> None:
    """By its delivery id, handled or queued; and whatever else says the same is found when it is handled."""
    out = exported(place)
    place.shop.receive(said("created", 7))
    again = exported(place)

    counts = place.counts(str(again), "--yes")
    foreign = again.read_text().replace(json.loads(out.read_text().splitlines()[0])["delivery_id"], "0" * 32)
    (place.folder / "foreign.jsonl").write_text(foreign)
    taken = place.counts(str(place.folder / "foreign.jsonl"), "--yes")
    place.shop.apply()

    assert counts == {"here": 6}
    assert taken == {"proven": 1, "here": 5}
    newest = place.store.events.find(EventQuery(via=Via.IMPORT))
    assert [(one.state, one.duplicate_of) for one in newest] == [(EventState.DUPLICATE, 1)]


def test_what_no_signature_proves_is_refused(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """A forged line, whatever secret it claims, needs a person's word and reason, which stay with the event."""
    lines = exported(place).read_bytes().splitlines()
    forged = json.loads(lines[0]) | {"body_base64": "e30="}
    polled = json.loads(lines[1]) | {"via": "poll"}
    other = make("other")
    file = other.folder / "forged.jsonl"
    file.write_text("\n".join(map(json.dumps, (forged, polled))))

    refused = other.run("import", str(file))
    without = other.run("import", str(file), "--unsigned")
    vouched = other.counts(str(file), "--unsigned", "--reason", "found in the old backup")

    assert refused.exit_code == 1
    assert refused.stdout.splitlines()[1:] == [
        "1\tno secret of the settings proves it (mismatch): --unsigned takes it on your word",
        "2\tit was learned by asking, which nobody signs: --unsigned takes it on your word",
    ]
    assert isinstance(without.exception, UsageError)
    assert vouched == {"vouched": 2}
    assert {one.via for one in other.all()} == {Via.IMPORT, Via.POLL}
    assert all("found in the old backup" in one.matched for one in other.all())


def test_a_cut_file_is_taken_as_far_as_it_is_whole(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """The line is named, what is whole is in; the same again, whole, brings the rest and nothing twice."""
    whole = exported(place).read_bytes()
    other = make("other")
    cut = other.folder / "cut.jsonl"
    cut.write_bytes(whole[: whole.rindex(b'"body_base64"')])

    first = other.run("import", str(cut), "--yes")
    cut.write_bytes(whole)
    second = other.counts(str(cut), "--yes")

    assert first.exit_code == 1
    assert "5\tit is no JSON" in first.stdout
    assert "the file seems to be cut off here" in first.stdout
    assert second == {"proven": 1, "here": 4}


def test_each_bad_line_spoils_itself_alone(place: Place) -> None:
    """It is named by its number with what is wrong; its neighbours are taken, and nothing of it is repeated."""
    good = json.loads(exported(place).read_text().splitlines()[0]) | {"delivery_id": "1" * 32}
    bad = [
        {**good, "form": 2},
        {key: value for key, value in good.items() if key != "body_base64"},
        {**good, "supplier": "nobody"},
        {**good, "headers": [["a\r\n", "b"]]},
        {**good, "headers": [["x", "\u20ac"]]},
        {**good, "body_base64": "CODE!"},
        {**good, "received_at": "2026-05-01"},
        {**good, "received_at": "2199-05-01T00:00:00+00:00"},
        {**good, "delivery_id": "no"},
        {**good, "via": "pigeon"},
        {**good, "url": "\ud800"},
        [],
    ]
    lines = [b"\xff\xfe", b"[" * 100_000, *(json.dumps(one).encode() for one in bad), b"", json.dumps(good).encode()]

    done = place.run("import", "-", "--yes", "--json", stdin=b"\n".join(lines) + b"\n")

    page = json.loads(done.stdout)
    assert done.exit_code == 1
    assert page["counts"] == {"proven": 1, "vouched": 0, "here": 0, "refused": 14}
    assert [one["line"] for one in page["refused"]] == [*range(1, 15)]
    assert "CODE!" not in done.output
    assert [one["why"] for one in page["refused"]][2:5] == [
        "it was written by a newer webhookctl: upgrade webhookctl",
        "it was exported without the request: export with --reveal",
        "its supplier 'nobody' is not in the settings",
    ]


def test_a_plan_changes_nothing(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """--dry-run proves and counts; more than ten are asked about, and stdin, which is read once, needs --yes."""
    place.shop.receive(*(said("created", number) for number in range(20, 30)))
    out = exported(place)
    other = make("other")

    planned = other.counts(str(out), "--dry-run")
    unasked = other.run("import", str(out))
    piped = other.run("import", "-", stdin=out.read_bytes())

    assert planned == {"proven": 15}
    assert isinstance(unasked.exception, UsageError)
    assert isinstance(piped.exception, UsageError)
    assert other.all() == []


def test_a_line_without_an_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than any export writes is passed over in pieces, and the next line is read."""
    monkeypatch.setattr(event_files, "LONGEST_LINE", 64)

    lines = list(event_files.read(BytesIO(b"x" * 1_000 + b"\n" + b"{}\n" + b"y" * 64)))

    assert [(line.number, line.size) for line in lines] == [(1, 1_001), (2, 3), (3, 64)]
    assert str(lines[0].said).startswith("it is longer than")


@pytest.mark.parametrize("form", list(Form))
def test_formulas_stay_text(place: Place, form: Form) -> None:
    """In a table no cell begins a formula; JSON is exact."""
    body = b'\t=cmd|"/c calc"!A1'
    place.store.intake.accept([verified(9, body=body)])

    shown = place.run("export", *REVEAL, "--format", form.value, "--since", "2020-01-01").stdout

    assert ("'\t=cmd" in shown) is (form is Form.CSV)


def test_an_export_holds_a_page_at_a_time(place: Place) -> None:
    """Whatever the store holds, what is in memory is a page."""
    body = b"x" * 100_000
    for at in range(0, 400, 20):
        place.store.intake.accept([verified(at + one, body=body) for one in range(20)])
    work = Export(place.store.events, EventQuery(limit=EVERYTHING), Form.JSONL, Reveal(NOW, "ada", "why"))
    tracemalloc.start()

    size = sum(map(len, work.parts()))

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert work.written == 405
    assert size > 50_000_000
    assert most < 48_000_000


def test_a_file_is_there_wholly_or_not_at_all(place: Place, tmp_path: Path) -> None:
    """On a full disk the half file is removed, what had its name stays, and the exit code is the store's."""
    out = place.folder / "events.jsonl"
    out.write_text("what was there before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(StoreFullError) as full, streams.landing(out) as stream:
            stream.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    device = place.run("export", "--out", "/dev/full")

    assert str(full.value).startswith(f"{out} can't take it all: there is no space left; the half file was removed.")
    assert out.read_text() == "what was there before"
    assert {one.name for one in place.folder.iterdir() if "part" in one.name} == set()
    assert isinstance(device.exception, StoreFullError)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
    with pytest.raises(StoreError, match="No such file"), streams.landing(tmp_path / "no" / "where"):
        pass


def test_an_import_says_what_is_in_when_the_store_fails(place: Place, make: Any) -> None:  # noqa: ANN401 - makes a place
    """What was committed stays, and the words say that running it again brings the rest."""
    out = exported(place)
    other = make("other")
    with other.store.connection.writing():
        failed = other.run("import", str(out), "--yes")

    assert isinstance(failed.exception, StoreError)
    assert "0 events are in, durably; run this again for the rest." in failed.stderr
    assert other.counts(str(out), "--yes") == {"proven": 5}


def test_each_look_is_written_down_once(place: Place) -> None:
    """However many share a commit, and before any of them is out."""
    place.store.intake.accept([verified(number) for number in range(2_500)])
    look = Reveal(NOW, "ada", "why")
    parts = Export(place.store.events, EventQuery(limit=EVERYTHING), Form.JSONL, look).parts()
    seen = 0
    for part in parts:
        numbers = [json.loads(line)["id"] for line in part.splitlines()]
        seen += sum(place.store.events.reveals(number) == [look] for number in numbers)

    assert seen == 2_505


def test_standard_output_may_be_named(place: Place) -> None:
    """By a dash or as a device; what it was led to is written to where it stands, and no name changes hands."""
    command = [sys.executable, "-m", "webhookctl", "-c", str(place.folder / "webhookctl.toml"), "events", "export"]
    environ, out = {**os.environ, **ENVIRON}, place.folder / "all.jsonl"
    out.write_text("before\n")
    link = place.folder / "stdout"
    link.symlink_to("/proc/self/fd/1")
    for name in ("-", str(link)):
        with out.open("ab") as led_to:
            whole = [*command, "--out", name]
            subprocess.run(whole, env=environ, stdout=led_to, cwd=place.folder, check=True)  # noqa: S603 - our own program

    lines = out.read_text().splitlines()

    assert (lines[0], len(lines)) == ("before", 1 + 2 * 5)
    assert str(link.readlink()) == "/proc/self/fd/1"
    assert not (place.folder / "-").exists()


def test_a_symbolic_link_stays_one(place: Place) -> None:
    """What it leads to gets the events, as with any other program; a folder is named before anything is written."""
    link = place.folder / "latest.jsonl"
    link.symlink_to("kept.jsonl")

    done = place.run("export", "--out", str(link))
    folder = place.run("export", *REVEAL, "--out", str(place.folder))

    assert (done.exit_code, link.is_symlink()) == (0, True)
    assert len((place.folder / "kept.jsonl").read_text().splitlines()) == 5
    assert "Is a directory" in str(folder.exception)
    assert not [look for one in place.all() for look in place.store.events.reveals(one.id)]
