"""Which events or files go where, and that they do."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from webhookctl import suppliers, wiring
from webhookctl.adapters.target_http import name_of
from webhookctl.cli import consent, options, output, requests, schemes, secrecy
from webhookctl.cli.resending import NEWEST, Asked, Signing, telling
from webhookctl.config import SecretRef, SecretSource, units
from webhookctl.core import moments
from webhookctl.core.errors import SettingsError, UsageError
from webhookctl.core.events import EventState
from webhookctl.core.forwarding import can_be_sent, is_for_its_way
from webhookctl.core.ports.orders import Reveal
from webhookctl.core.ports.replays import Parcel, Replay, ReplayState
from webhookctl.core.signatures import Kind
from webhookctl.flows.resend import Signer
from webhookctl.flows.selection import EVERYTHING, selected
from webhookctl.wiring import resending
from webhookctl.wiring.resending import AS_RECEIVED, FRESH, Wanted

if TYPE_CHECKING:
    from webhookctl.config import Settings
    from webhookctl.core.events import StoredEvent
    from webhookctl.core.ports.events import EventQuery


def resend(context: typer.Context, asked: Asked, what: Sequence[str], word: str | None, query: "EventQuery") -> None:
    """Send what is meant: files, events by their ids, or those of a word and filters."""
    if asked.resume is not None:
        if what or word:
            raise UsageError("--resume goes on with the events of that replay: leave out which.")
        _resume(wiring.settings(context.obj.config), asked)
    elif what and all(map(_is_file, what)):
        _send_files(context, asked, what)
    else:
        _refuse_no_file(what)
        _send_events(wiring.settings(context.obj.config), asked, what, word, query)


def _is_file(said: str) -> bool:
    """Return whether a file is meant; a number is an event's, whatever lies here under that name."""
    return said == "-" or (not said.isdecimal() and Path(said).is_file())


def _refuse_no_file(what: Sequence[str]) -> None:
    """Raise `UsageError` where a file was meant that is not there, or files and events at once."""
    for one in what:
        if _is_file(one):
            raise UsageError(f"{one} is a file, and others of what was said are not: give either files, or events.")
        if os.sep in one or Path(one).suffix:  # no event's id looks like that
            raise UsageError(f"{one} is no file that is there: give files that are, or events by their ids.")


def _send_events(
    settings: "Settings", asked: Asked, what: Sequence[str], word: str | None, query: "EventQuery"
) -> None:
    if not asked.reason.strip() and not asked.dry_run:
        raise UsageError("--reason is empty: say why codes leave the store; it is kept with each event that is sent.")
    wanted = _wanted(settings, asked)
    plan = Plan.of(settings, what, word, query)
    route = resending.route(settings, wanted, plan.suppliers)
    plan.show(wanted, asked)
    if asked.dry_run or not plan.numbers:
        return
    if not consent.given(len(plan.numbers), f"Send them to {wanted.shown}?", yes=asked.yes):
        output.say("Nothing was sent.")
        return
    look = Reveal(options.now_ms(), wiring.who(), asked.reason.strip())
    with telling.watched(len(plan.numbers), as_json=asked.as_json) as watch:
        ended = resending.begin(settings, wanted, route, plan.numbers, look, watch)
    telling.end(ended, asked)


@dataclass(slots=True)
class Plan:
    """Which events are sent."""

    numbers: list[int] = field(default_factory=list)
    suppliers: Counter[str] = field(default_factory=Counter)
    times: list[int] = field(default_factory=list)
    """When the first and the last were received."""

    @classmethod
    def of(cls, settings: "Settings", what: Sequence[str], word: str | None, query: "EventQuery") -> "Plan":
        """Find them."""
        plan, query = cls(), replace(query, limit=EVERYTHING)
        with wiring.store(settings) as store:
            if word == "failed":
                raise UsageError("`failed` means dead actions, which are not sent elsewhere: say `missing`, or which.")
            if what:
                events: Iterable[StoredEvent] = [wiring.stored_event(store, one) for one in what]
            elif word == "missing":
                states = (EventState.QUEUED, EventState.DEAD)
                events = chain.from_iterable(selected(store.events, replace(query, state=state)) for state in states)
            else:
                events = selected(store.events, query)
            for event in events:
                plan._add(event)
        plan.numbers = sorted(set(plan.numbers))
        return plan

    def _add(self, event: "StoredEvent") -> None:
        self.numbers.append(event.id)
        self.suppliers[event.supplier] += 1
        times = (*self.times, event.received_at)
        self.times = [min(times), max(times)]

    def show(self, wanted: Wanted, asked: Asked) -> None:
        """Show it: as the result where nothing else is wanted, else in words."""
        first, last = (moments.on_page(at) for at in self.times) if self.times else (None, None)
        whose = ", ".join(f"{name} {count}" for name, count in sorted(self.suppliers.items()))
        page: dict[str, Any] = {"events": len(self.numbers), "first_at": first, "last_at": last}
        if asked.dry_run and asked.as_json:
            output.show_json(page | {"suppliers": dict(self.suppliers), "to": wanted.shown, "sign": wanted.sign})
        elif asked.dry_run:
            output.page(page | {"suppliers": whose or None, "to": wanted.shown, "sign": wanted.sign})
        elif not self.numbers:
            output.say("No such event: nothing is sent.")
        else:
            span = f"from {output.when(first)} to {output.when(last)}"
            go = "goes" if len(self.numbers) == 1 else "go"
            output.say(f"{telling.events(len(self.numbers))} {span} ({whose}) {go} to {wanted.shown}.")


def _resume(settings: "Settings", asked: Asked) -> None:
    replayed, counts = resending.resumable(settings, _number(asked.resume or NEWEST))
    to = _same_target(replayed, asked)
    wanted = _wanted(settings, replace(asked, to=to, signing=replace(asked.signing, sign=replayed.sign)))
    route = resending.route(settings, wanted)
    left = sum(counts.values()) - counts[ReplayState.TAKEN]
    telling.resumed(replayed, counts, left, asked)
    if asked.dry_run or not left:
        return
    look = Reveal(options.now_ms(), wiring.who(), asked.reason.strip() or replayed.look.reason)
    with telling.watched(left, as_json=asked.as_json, replay_id=replayed.id) as watch:
        ended = resending.resume(settings, wanted, route, replayed.id, look, watch)
    telling.end(ended, asked)


def _number(said: str) -> int | None:
    if said == NEWEST:
        return None
    if not said.isdecimal():
        raise UsageError("--resume takes the number of a replay, or nothing for the newest.")
    return int(said)


def _same_target(replayed: Replay, asked: Asked) -> str:
    """Return where it goes: what a replay has begun it ends, in the same way, at the same place."""
    if asked.signing.sign not in {None, replayed.sign}:
        raise UsageError(f"Replay {replayed.id} is signed {replayed.sign}: leave out --sign, or begin another.")
    if asked.to is None and "…" in replayed.target:
        raise UsageError(f"Replay {replayed.id} goes to {replayed.target}, of which a part is not kept: add --to URL.")
    if asked.to is not None and replayed.target != name_of(asked.to):
        raise UsageError(f"Replay {replayed.id} goes to {replayed.target}: leave out --to, or begin another.")
    return asked.to or replayed.target


def _send_files(context: typer.Context, asked: Asked, what: Sequence[str]) -> None:
    """Send files, which are the operator's own: nobody is asked, and nothing is kept of it."""
    settings = _settings_if_any(context)
    wanted = _wanted(settings, asked)
    if wanted.sign == FRESH:
        raise UsageError("--sign fresh is for events, whose supplier is known: name a supplier or a preset for files.")
    route = resending.route(settings, wanted)
    parcels = [_parcel(number, name) for number, name in enumerate(what, 1)]
    if asked.dry_run:
        page = {"files": len(parcels), "to": wanted.shown, "sign": wanted.sign}
        return output.show_json(page) if asked.as_json else output.page(page)
    output.say(f"{len(parcels)} {'file goes' if len(parcels) == 1 else 'files go'} to {wanted.shown}.")
    with telling.watched(len(parcels), as_json=asked.as_json, of_files=True) as watch:
        ended = resending.send_files(wanted, route, parcels, watch)
    return telling.end(ended, asked)


def _parcel(number: int, name: str) -> Parcel:
    return Parcel(number, name, "", (), requests.read(name), f"msg_{options.now_ms()}_{number}")


def _settings_if_any(context: typer.Context) -> "Settings | None":
    try:
        return wiring.settings(context.obj.config)
    except SettingsError:
        if context.obj.config is not None or wiring.has_settings():
            raise  # there are some, and they are wrong
        return None


def _wanted(settings: "Settings | None", asked: Asked) -> Wanted:
    sign, pace = asked.signing.sign or AS_RECEIVED, asked.pace
    return Wanted(
        to=asked.to or "",
        sign=sign,
        signer=_signer(settings, sign, asked.signing, asked.to or ""),
        headers=tuple(_headers(asked.headers)),
        per_second=None if pace.rate is None else _unit("--rate", units.rate, pace.rate),
        concurrency=pace.concurrency,
        timeout_s=_unit("--timeout", units.positive_duration, pace.timeout) / 1000,
        max_failures=pace.max_failures,
        allow_url=asked.allow_url,
    )


def _unit(option: str, read: "Callable[[object], float]", written: str) -> float:
    try:
        return read(written)
    except SettingsError as error:
        raise UsageError(f"{option} {str(error).replace(' in quotes', '')}.") from None


def _signer(settings: "Settings | None", sign: str, asked: Signing, to: str) -> Signer | None:
    """Return who signs by a preset; None where the settings know, or nobody signs."""
    if sign in {AS_RECEIVED, FRESH} or (settings and sign in settings.suppliers):
        return None
    if sign not in suppliers.names():
        known = ", ".join(settings.suppliers) if settings else "none, as there are no settings here"
        raise UsageError(
            f"--sign {sign!r} is neither {AS_RECEIVED} nor {FRESH}, nor a supplier of the settings ({known}), nor a "
            "preset (`webhookctl suppliers list`)."
        )
    scheme = schemes.of_preset(sign, asked.params, None)
    if scheme.kind is Kind.NONE:
        return Signer(sign, scheme, None)
    secret = secrecy.read(asked.secret_env, asked.secret_file)[0]
    return Signer(sign, scheme, scheme.signing_key(secret, allow_short=True), to)


def _headers(lines: Sequence[str]) -> Iterator[tuple[bytes, bytes]]:
    for line in lines:
        name, value = requests.header(line)
        text = value.decode("latin-1")
        if text.partition(":")[0] in set(SecretSource):
            value = SecretRef.parse(text).read(os.environ, Path.cwd()).value
        if is_for_its_way(name):
            raise UsageError(f"--header {name.decode()} is made anew for each request: leave it out.")
        if not can_be_sent(name, value):
            raise UsageError(f"--header {name.decode()} has a value that can't stand in a header.")
        yield name, value
