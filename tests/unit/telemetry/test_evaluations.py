"""What is counted and told of evaluations."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Kind, Timing
from pullback_server.model.quantities import Quantity
from pullback_server.telemetry.histograms import Histogram
from pullback_server.telemetry.watch import Watch


def readings(watching: Watch, name: str) -> dict[tuple[str, ...], float | Histogram]:
    """The readings of a metric."""
    return {
        labels: value
        for metric, family in watching.evaluations.families()
        if metric.shown == name
        for labels, value in family
    }


def test_latency_points_and_queue(watching: Watch, kind: Callable[..., Kind]) -> None:
    """Evaluations add to the figures of their derivative and tenant; kinds that want the same share them."""
    evaluations = watching.evaluations
    for each, points in ((kind(Quantity.GRADIENT), None), (kind(Quantity.GRADIENT), 4)):
        number = evaluations.begin(10.0, "a", "functions/f", each, points)
        evaluations.end(number, 10.3, Timing(queue=0.02))
    latency = readings(watching, "pullback_evaluation_seconds")["gradient", "a"]
    queue = readings(watching, "pullback_queue_seconds")["a",]
    assert isinstance(latency, Histogram)
    assert isinstance(queue, Histogram)
    assert (latency.count, latency.total) == (2, pytest.approx(0.6))
    assert (queue.count, queue.total) == (2, pytest.approx(0.04))
    assert readings(watching, "pullback_points_total") == {("gradient", "a"): 5}
    assert watching.recorder.in_hand == 0


def test_labels_are_bounded(watching: Watch, kind: Callable[..., Kind]) -> None:
    """A thousand tenants make no more readings than are allowed."""
    gradient = kind(Quantity.GRADIENT)
    for number in range(1000):
        watching.evaluations.end(
            watching.evaluations.begin(0.0, f"tenant-{number}", "f", gradient, None), 1.0, Timing()
        )
    assert readings(watching, "pullback_points_total") == {
        ("gradient", "tenant-0"): 1,
        ("gradient", "tenant-1"): 1,
        ("gradient", "other"): 998,
    }


async def test_failures_by_reason(watching: Watch, kind: Callable[..., Kind]) -> None:
    """Failures count by reason: a service's own, a cancellation, and what nobody foresaw leaves a file."""
    evaluations = watching.evaluations
    began = time.monotonic()
    for error in (service_error(Reason.OVERLOADED, "full"), asyncio.CancelledError(), ZeroDivisionError("x")):
        number = evaluations.begin(began, "a", "functions/f", kind(Quantity.VALUE), None)
        evaluations.fail(number, began, "a", error)
    evaluations.fail(None, began, "a", service_error(Reason.FUNCTION_NOT_FOUND, "none"))
    assert readings(watching, "pullback_evaluation_failures_total") == {
        ("OVERLOADED", "a"): 1,
        ("CANCELLED", "a"): 1,
        ("INTERNAL", "a"): 1,
        ("FUNCTION_NOT_FOUND", "a"): 1,
    }
    assert [record.reason for record in watching.recorder.recent()] == [
        "FUNCTION_NOT_FOUND",
        "INTERNAL",
        "CANCELLED",
    ]
    await watching.crashes.written()


def test_slow_ones_are_told(
    watching: Watch, kind: Callable[..., Kind], caplog: pytest.LogCaptureFixture
) -> None:
    """One over the bound is a warning that says where its time went."""
    evaluations = watching.evaluations
    with caplog.at_level(logging.INFO):
        for seconds in (0.9, 2.0):
            number = evaluations.begin(0.0, "", "functions/f", kind(Quantity.HESSIAN), 3)
            evaluations.end(number, seconds, Timing(compile=1.0, execute=0.5, queue=0.25))
    [record] = caplog.records
    assert record.getMessage() == (
        "a slow evaluation: hessian of functions/f at 3 points took 2.000 s: 0.250 s of waiting, "
        "1.000 s of compiling, 0.500 s on the device, 0.250 s of the rest"
    )
