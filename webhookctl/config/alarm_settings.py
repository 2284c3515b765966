"""When what has not happened is told to a person."""

from webhookctl.config.tables import PositiveDuration, Table
from webhookctl.core.retries import SECOND


class AlarmSettings(Table):
    """How long things may take; an order's own time is its supplier's `sla`."""

    undelivered_after: PositiveDuration = 10 * 60 * SECOND
    """A fulfilled order whose `deliver` has not succeeded by then is alerted."""
    waiting_after: PositiveDuration = 10 * 60 * SECOND
    """An event that names its order by an id which nobody has made known by then is alerted."""
