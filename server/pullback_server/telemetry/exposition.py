"""Figures in Prometheus's text format, a part at a time.

Whoever writes the parts can let others run between them: all figures of many tenants together take tens of
milliseconds to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Shown
from prometheus_client.registry import Collector

from pullback_server.telemetry.histograms import Histogram
from pullback_server.telemetry.metrics import Family, Metric, Reading

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
"""What the text is."""

# A histogram has some twenty lines, and a line takes microseconds.
_AT_ONCE: Final = 8


class Process(Iterable[bytes]):
    """The figures of this process itself: CPU time, memory, descriptors."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

    def __iter__(self) -> Iterator[bytes]:
        yield generate_latest(self._registry)


def text(families: Iterable[Family]) -> Iterator[bytes]:
    """The lines of figures, in parts of some hundred lines."""
    for metric, readings in families:
        remaining = iter(readings)
        yield _part(metric, islice(remaining, _AT_ONCE))
        while some := list(islice(remaining, _AT_ONCE)):
            yield b"".join(_figures(_part(metric, some)))


def _figures(part: bytes) -> Iterator[bytes]:
    """The lines without those that say what the metric is, which stand before its first part."""
    return (line for line in part.splitlines(keepends=True) if not line.startswith(b"#"))


def _part(metric: Metric, readings: Iterable[Reading]) -> bytes:
    return generate_latest(_Once(_shown(metric, readings)))


def _shown(metric: Metric, readings: Iterable[Reading]) -> Shown:
    if metric.kind == "histogram":
        histograms = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for values, figure in readings:
            if isinstance(figure, Histogram):
                histograms.add_metric(values, figure.cumulative(), figure.total)
        return histograms
    family = _FAMILIES[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    for values, figure in readings:
        if not isinstance(figure, Histogram):
            family.add_metric(values, float(figure))
    return family


class _Once(Collector):
    """What the library writes: one metric."""

    def __init__(self, family: Shown) -> None:
        self._family = family

    def collect(self) -> Iterable[Shown]:
        yield self._family


_FAMILIES: Final[dict[str, type[CounterMetricFamily | GaugeMetricFamily]]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}
