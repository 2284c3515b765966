"""How the shop stands, looked up for a monitor: whatever happens, there is a line and a level."""

from pathlib import Path
from typing import Final

from webhookctl import wiring
from webhookctl.adapters.free_space import room
from webhookctl.config import Settings
from webhookctl.core.errors import StoreError, told
from webhookctl.flows.health import Level, Standing, line, status_line

_HOUR_MS: Final = 3_600_000


def check(named: Path | None) -> tuple[Level, str]:
    """Judge; a store that can't be used is critical, as nothing is received then; settings that can't are unknown."""
    try:
        return line(_standing(wiring.settings(named)))
    except StoreError as error:
        return Level.CRITICAL, status_line(Level.CRITICAL, str(error))
    except Exception as error:  # noqa: BLE001 - a monitor takes any other exit code, and any silence, for an answer
        return Level.UNKNOWN, status_line(Level.UNKNOWN, told(error))


def _standing(settings: Settings) -> Standing:
    now = wiring.now_ms()
    late = now - settings.alarms.undelivered_after
    with wiring.store(settings) as store:
        standings = [store.leases.standing(name) for name in wiring.asked_suppliers(settings)]
        return Standing(
            store.reports.summary(now=now),
            store.reports.pressing(asked_before=late, rejected_since=now - _HOUR_MS),
            wiring.handled_kinds(settings),
            tuple(one.supplier for one in standings if one.failing_since is not None),
            store.leases.last_beat(),
            room(settings.store.path.parent),
            now,
        )
