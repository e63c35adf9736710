"""What is counted of calls."""

from __future__ import annotations

import logging

import pytest

from pullback_server.telemetry.calls import Calls
from pullback_server.telemetry.tenants import Labels


def readings(calls: Calls, name: str) -> dict[tuple[str, ...], object]:
    """The readings of a metric."""
    return {
        labels: value
        for metric, family in calls.families()
        if metric.shown == name
        for labels, value in family
    }


def test_ends_by_method_code_and_tenant() -> None:
    """Each end counts once, under its method, code and tenant."""
    calls = Calls(Labels(1))
    calls.method("S/A").end("a", 0.1)
    calls.method("S/A").end("a", 0.1)
    calls.method("S/A").end("b", 0.1, "NOT_FOUND")
    calls.method("S/B").end("a", 0.1)
    assert readings(calls, "pullback_calls_total") == {
        ("S/A", "OK", "a"): 2,
        ("S/A", "NOT_FOUND", "other"): 1,
        ("S/B", "OK", "a"): 1,
    }


def test_bytes_and_streams() -> None:
    """Bytes are told by method, open streams together."""
    calls = Calls(Labels(1))
    calls.method("S/A").received = 7
    calls.method("S/B").sent = 9
    calls.method("S/A").open = 2
    calls.method("S/B").open = 1
    assert readings(calls, "pullback_received_bytes_total") == {("S/A",): 7, ("S/B",): 0}
    assert readings(calls, "pullback_sent_bytes_total") == {("S/A",): 0, ("S/B",): 9}
    assert readings(calls, "pullback_open_streams") == {(): 3}


def test_labels_are_bounded() -> None:
    """A thousand tenants make no more readings than are allowed, and no call is lost."""
    calls = Calls(Labels(5))
    for number in range(1000):
        calls.method("S/A").end(f"tenant-{number}", 0.0)
    counts = readings(calls, "pullback_calls_total")
    assert len(counts) == 6
    assert counts["S/A", "OK", "other"] == 995


def test_slow_calls_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A call over the bound is a warning; one of a method that tells itself is none."""
    calls = Calls(Labels(1), slow_seconds=1.0)
    with caplog.at_level(logging.INFO):
        calls.method("S/A").end("", 0.9)
        calls.method("S/B", told=False).end("", 5.0)
        calls.method("S/A").end("", 1.5, "INTERNAL")
    [record] = caplog.records
    assert record.getMessage() == "a slow call: S/A took 1.500 s and ended with INTERNAL"
