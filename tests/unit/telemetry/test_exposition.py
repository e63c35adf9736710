"""Figures in Prometheus's format, read back with its own parser."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pullback_server.telemetry.exposition import Process, text
from pullback_server.telemetry.histograms import Histogram
from pullback_server.telemetry.metrics import METRICS, Family, Metric

COUNTER = Metric("t_calls", "counter", "Calls.", ("caller", "how"))
GAUGE = Metric("t_open", "gauge", "What is open.")
HISTOGRAM = Metric("t_seconds", "histogram", "Seconds.", ("caller",))


def samples(*families: Family) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a parser reads, by name and the values of labels."""
    page = b"".join(text(families)).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_counters_and_gauges() -> None:
    """Figures come back with their labels, whatever characters these have."""
    odd = 'a "b"\n\\c'
    figures = samples((COUNTER, [(("a", "OK"), 3), ((odd, "OK"), 5)]), (GAUGE, [((), 0.5)]))
    assert figures == {
        ("t_calls_total", ("a", "OK")): 3,
        ("t_calls_total", (odd, "OK")): 5,
        ("t_open", ()): 0.5,
    }


def test_histograms() -> None:
    """A histogram comes back with its buckets, count and sum."""
    histogram = Histogram((1.0, 2.0))
    histogram.add(1.5)
    histogram.add(7.0)
    assert samples((HISTOGRAM, [(("a",), histogram)])) == {
        ("t_seconds_bucket", ("a", "1.0")): 0,
        ("t_seconds_bucket", ("a", "2.0")): 1,
        ("t_seconds_bucket", ("a", "+Inf")): 2,
        ("t_seconds_count", ("a",)): 2,
        ("t_seconds_sum", ("a",)): 8.5,
    }


@pytest.mark.parametrize("count", [0, 1, 8, 9, 100])
def test_many_readings_come_in_parts(count: int) -> None:
    """However many parts there are, the page has all readings, and says once what the metric is."""
    parts = list(text([(COUNTER, [((str(number), "OK"), number) for number in range(count)])]))
    assert len(parts) == max(1, -(-count // 8))
    page = b"".join(parts)
    assert page.count(b"# TYPE") == 1
    [family] = text_string_to_metric_families(page.decode())
    assert [sample.value for sample in family.samples] == list(range(count))


def test_this_process() -> None:
    """Memory and time of the process itself are shown."""
    page = b"".join(Process()).decode()
    names = {family.name for family in text_string_to_metric_families(page)}
    assert {"process_cpu_seconds", "process_open_fds"} <= names


def test_names_are_their_own() -> None:
    """No two metrics share a name, and each says what it is in a sentence."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(metric.meaning.endswith(".") for metric in METRICS)
