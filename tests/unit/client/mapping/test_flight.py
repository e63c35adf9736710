"""Chunks under way: windows, order, what is lost and when it is given up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback._mapping.cutting import Chunk
from pullback._mapping.flight import Flight, Window
from pullback._mapping.requests import ArrayMap
from pullback.errors import (
    InvalidArgumentError,
    LimitExceededError,
    OverloadedError,
    PullbackError,
    ServerError,
    UnavailableError,
)

LOST = UnavailableError("gone", code="UNAVAILABLE")


@pytest.fixture
def chunk(mapped: Callable[..., ArrayMap]) -> Chunk:
    """A chunk of four points."""
    return next(mapped([[1.0, 2.0, 3.0]] * 4, 1.0).chunks())


def test_windows(chunk: Chunk) -> None:
    """In chunks and in bytes; one may always be under way."""
    flight = Flight(Window(2), 0)
    flight.launch(chunk)
    assert flight.has_room
    flight.launch(chunk)
    assert not flight.has_room
    narrow = Flight(Window(9, nbytes=1), 0)
    assert narrow.has_room
    narrow.launch(chunk)
    assert not narrow.has_room


@given(st.permutations(range(8)))
def test_order(landing: list[int]) -> None:
    """However they land, they are taken in order, and count until then."""
    flight, taken = Flight(Window(8), 0), list[str]()
    none = Chunk(0, 1, None, None, 1)  # type: ignore[arg-type] -- nothing looks into it
    for _ in range(8):
        flight.launch(none)
    for number in landing:
        flight.land(number, f"answer {number}")
        while got := flight.take():
            taken.append(got[1])
            assert flight.has_room
    assert taken == [f"answer {number}" for number in range(8)]
    assert flight.empty


def test_what_is_lost_is_sent_again(chunk: Chunk) -> None:
    """After pauses that double, in order, until something lands."""
    flight = Flight(Window(8), 3)
    for _ in range(3):
        flight.launch(chunk)
    flight.land(1, "answer")
    pauses = []
    for _ in range(3):
        flight.lose(2, LOST)
        flight.lose(0, LOST)
        assert flight.has_lost
        assert not flight.has_room
        pauses.append(flight.pause())
        assert [number for number, _ in flight.again()] == [0, 2]
    assert pauses == pytest.approx([0.1, 0.2, 0.4])
    flight.land(0, "answer")
    flight.lose(2, LOST)
    assert flight.pause() == pytest.approx(0.1)


def test_the_server_says_how_long(chunk: Chunk) -> None:
    """The longest delay that was asked for, and five seconds at most without one."""
    flight = Flight(Window(8), 20)
    flight.launch(chunk)
    flight.launch(chunk)
    flight.lose(0, OverloadedError("much", retry_after=7.5))
    flight.lose(1, OverloadedError("more", retry_after=1.0))
    assert flight.pause() == 7.5
    flight.again()
    for _ in range(9):
        flight.lose(1, LOST)
        pause = flight.pause()
        flight.again()
    assert pause == 5.0


def test_giving_up(chunk: Chunk) -> None:
    """After so many tries without an answer, with the points of the first that was lost."""
    flight = Flight(Window(8), 1)
    flight.launch(chunk)
    flight.lose(0, LOST)
    flight.pause()
    flight.again()
    flight.lose(0, LOST)
    with pytest.raises(UnavailableError, match=r"points 0 to 3 of the map .after 2 tries.*gone"):
        flight.pause()


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (LOST, True),
        (OverloadedError("much", code="RESOURCE_EXHAUSTED"), True),
        (ServerError("Received RST_STREAM with error code 2", code="INTERNAL"), True),
        (ServerError("the connection broke (CANCELLED)", code="UNKNOWN"), True),
        (ServerError("WORKER_DIED", code="INTERNAL", reason="WORKER_DIED"), False),
        (InvalidArgumentError("wrong", reason="SHAPE_MISMATCH", metadata={"argument": "x"}), False),
        (LimitExceededError("too large", reason="LIMIT_EXCEEDED"), False),
    ],
)
def test_what_passes(chunk: Chunk, error: PullbackError, passes: bool) -> None:
    """What would fail again is raised at once, in its class, with the points beside what it had."""
    flight = Flight(Window(8), 3)
    flight.launch(chunk)
    if passes:
        flight.lose(0, error)
        assert flight.has_lost
        return
    with pytest.raises(type(error), match=f"points 0 to 3 of the map: {error.message}") as caught:
        flight.lose(0, error)
    assert caught.value.metadata == error.metadata | {"first_point": "0", "last_point": "3"}
    assert (caught.value.reason, caught.value.__cause__) == (error.reason, error)
