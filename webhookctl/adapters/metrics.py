"""What has happened here, and how the shop stands, as Prometheus reads it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from webhookctl import __version__
from webhookctl.core.ports.reports import Summary

_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")


def exposition(outcomes: Mapping[str, int], summary: Summary, *, now: int) -> tuple[bytes, str]:
    """Return the text and its content type; `outcomes` are counts since the start, by the outcome's class."""
    registry = CollectorRegistry()
    registry.register(_Once(outcomes, summary, now))
    return generate_latest(registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True, eq=False)
class _Once(Collector):
    """Metrics that are made when they are asked for: counting costs the way to the 200 nothing more."""

    outcomes: Mapping[str, int]
    summary: Summary
    now: int

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        summary = self.summary
        yield _gauge("build_info", "Which version runs.", [((__version__,), 1)], "version")
        happened = CounterMetricFamily("webhookctl_outcomes", "What happened since the start.", labels=["outcome"])
        for name, count in sorted(self.outcomes.items()):
            happened.add_metric([_WORDS.sub("_", name).lower()], count)
        yield happened
        yield _gauge("orders", "Orders by status.", _by_one(summary.orders), "status")
        yield _gauge("events", "Events by state.", _by_one(summary.events), "state")
        yield _gauge("actions", "Actions by kind and state.", summary.actions.items(), "kind", "state")
        yield _gauge("orders_held", "Orders that wait for a person.", [((), summary.held_orders)])
        yield _gauge("orders_overdue", "Orders past due.", [((), summary.overdue_orders)])
        yield _gauge("repeats_answered", "Deliveries answered without a row.", [((), summary.repeats_answered)])
        oldest = 0.0 if summary.oldest_queued_at is None else max(0, self.now - summary.oldest_queued_at) / 1000
        yield _gauge("oldest_queued_age_seconds", "Age of the oldest event not applied.", [((), oldest)])
        if summary.newest_event_at is not None:
            newest = summary.newest_event_at / 1000
            yield _gauge("newest_event_timestamp_seconds", "When the newest event came.", [((), newest)])


def _by_one(counts: Mapping[str, int]) -> Iterator[tuple[tuple[str, ...], float]]:
    for name, count in counts.items():
        yield (name,), count


def _gauge(name: str, words: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"webhookctl_{name}", words, labels=labels)
    for of, value in values:
        gauge.add_metric(of, value)
    return gauge
