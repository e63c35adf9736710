"""What the last requests say of a server."""

from __future__ import annotations

import pytest

from pullback_server.telemetry.activity import activity
from pullback_server.telemetry.recorder import Record


def record(ended: float, seconds: float = 0.5, function: str = "f", tenant: str = "", **more: str) -> Record:
    """One that ended at a time."""
    return Record(ended - seconds, "r", tenant, function, "gradient", None, seconds, 0.1, **more)  # type: ignore[arg-type]


def test_rows() -> None:
    """Requests are told apart by tenant, function and derivative, the most frequent first."""
    records = [
        record(99.9, 3.0, "g", "b", reason="OVERLOADED"),
        record(99.5, 1.0),
        record(99.0, 2.0),
        record(95.0, 4.0),
        record(80.0),
    ]
    seen = activity(records, 100.0, 10.0, 5, full=1000)
    assert [(row.key, row.count, row.failed) for row in seen.functions] == [
        (("", "f", "gradient"), 3, 0),
        (("b", "g", "gradient"), 1, 1),
    ]
    assert [(row.key, row.count) for row in seen.tenants] == [(("",), 3), (("b",), 1)]
    first = seen.functions[0]
    assert (first.rate, first.median, first.nearly_all) == (0.3, 2.0, 4.0)
    assert first.queue == pytest.approx(0.1)
    assert (seen.seconds, seen.total.count, seen.total.failed) == (10.0, 4, 1)


def test_few_rows() -> None:
    """No more rows than asked for; the total has all of them."""
    seen = activity([record(99.0, function=str(number)) for number in range(7)], 100.0, 10.0, 2, full=1000)
    assert len(seen.functions) == 2
    assert seen.total.count == 7


def test_a_memory_that_is_full() -> None:
    """Where more requests ended than are remembered, the rate is taken over those that are."""
    records = [record(100.0 - number / 100) for number in range(100)]
    seen = activity(records, 100.0, 10.0, 5, full=100)
    assert seen.seconds == pytest.approx(0.99)
    assert seen.total.rate == pytest.approx(100 / 0.99)


def test_nothing() -> None:
    """Without a request all is zero."""
    seen = activity([], 100.0, 10.0, 5, full=0)
    assert (seen.functions, seen.tenants, seen.total.rate, seen.total.nearly_all) == ((), (), 0.0, 0.0)
