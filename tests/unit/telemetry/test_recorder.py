"""The flight recorder."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pullback_server.model.evaluation import Kind, Timing
from pullback_server.model.quantities import Quantity
from pullback_server.telemetry.recorder import IN_HAND, Recorder, derivative_of, refused

VALUE, GRADIENT, HESSIAN = Quantity.VALUE, Quantity.GRADIENT, Quantity.HESSIAN


def test_the_last_are_kept(kind: Callable[..., Kind]) -> None:
    """The newest stands first, the oldest are forgotten, and times are those of the clock on the wall."""
    recorder = Recorder(2)
    now = time.monotonic()
    for number in range(3):
        recorder.keep((now, f"r{number}", "a", "functions/f", kind(GRADIENT), number), 0.5, Timing(1, 2, 3))
    last, before = recorder.recent()
    assert (last.request_id, before.request_id) == ("r2", "r1")
    assert last[1:5] == ("r2", "a", "functions/f", "gradient")
    assert (last.points, last.seconds, last.queue, last.compile, last.execute) == (2, 0.5, 3, 1, 2)
    assert last.time == pytest.approx(time.time(), abs=5)
    assert [record.request_id for record in recorder.recent(1)] == ["r2"]


def test_in_hand(kind: Callable[..., Kind]) -> None:
    """What has begun and not ended is in hand, with the time that it has taken."""
    recorder = Recorder(0)
    began = (time.monotonic() - 3, "r", "", "functions/f", kind(VALUE), None)
    number = recorder.begin(began)
    [record] = recorder.open()
    assert record.reason == IN_HAND
    assert record.seconds == pytest.approx(3, abs=1)
    assert recorder.take(number) is began
    assert list(recorder.open()) == []
    recorder.keep(began, 1.0)
    assert list(recorder.recent()) == []


def test_what_could_not_be_understood() -> None:
    """One that was refused at the door has neither function nor derivative."""
    recorder = Recorder(1)
    recorder.keep(refused(0.0, "r", "a"), 0.1, reason="MALFORMED_REQUEST")
    [record] = recorder.recent()
    assert (record.function, record.derivative, record.reason) == ("", "", "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("quantities", "name"),
    [
        ((HESSIAN,), "hessian"),
        ((VALUE, GRADIENT), "value_and_gradient"),
        ((GRADIENT, VALUE), "value_and_gradient"),
        ((GRADIENT, GRADIENT), "gradient"),
        ((GRADIENT, HESSIAN), "several"),
        ((VALUE, GRADIENT, HESSIAN), "several"),
    ],
)
def test_names_of_derivatives(kind: Callable[..., Kind], quantities: tuple[Quantity, ...], name: str) -> None:
    """Names are few, whatever is wanted together."""
    assert derivative_of(kind(*quantities)) == name
