"""The rule of joining: who goes at once, who waits, and who travels together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback._evaluation.lanes import MOST_BYTES, MOST_POINTS, PLACES, Lanes


@dataclass(eq=False)
class Member:
    """A call."""

    kind: bytes = b"grad"
    points: int = 1
    nbytes: int = 64


def test_a_call_goes_at_once_while_there_is_a_place() -> None:
    """Then others wait, and travel together in the place that becomes free."""
    lanes: Lanes[Member] = Lanes(places=1)
    first, second, third = Member(), Member(), Member()
    assert [lanes.enter(each) for each in (first, second, third)] == [True, False, False]
    assert lanes.leave(b"grad") == [second, third]
    assert not lanes.enter(Member())


def test_an_empty_lane_is_free_again() -> None:
    """Also for the next call of its kind."""
    lanes: Lanes[Member] = Lanes(places=1)
    assert lanes.enter(Member())
    assert lanes.leave(b"grad") == []
    assert lanes.enter(Member())


def test_other_kinds_do_not_wait() -> None:
    """Each derivative has a lane of its own."""
    lanes: Lanes[Member] = Lanes(places=1)
    assert lanes.enter(Member(b"grad"))
    assert lanes.enter(Member(b"hessian"))
    assert not lanes.enter(other := Member(b"hessian"))
    assert lanes.leave(b"grad") == []
    assert lanes.leave(b"hessian") == [other]


@pytest.mark.parametrize(
    ("points", "nbytes", "fitting"),
    [(1, 64, 300), (MOST_POINTS // 2, 64, 2), (1, MOST_BYTES // 3, 3), (MOST_POINTS + 1, MOST_BYTES + 1, 1)],
)
def test_a_message_has_its_limits(points: int, nbytes: int, fitting: int) -> None:
    """In points and in bytes; who does not fit travels in the next, and nobody waits for ever."""
    lanes: Lanes[Member] = Lanes(places=1)
    lanes.enter(Member())
    waiting = [Member(points=points, nbytes=nbytes) for _ in range(5)]
    for each in waiting:
        lanes.enter(each)
    assert lanes.leave(b"grad") == waiting[: min(fitting, 5)]


def test_who_gives_up_waiting_does_not_travel() -> None:
    """Who is under way already, or gone, cannot be taken back."""
    lanes: Lanes[Member] = Lanes(places=1)
    under_way, waits, goes = Member(), Member(), Member()
    for each in (under_way, waits, goes):
        lanes.enter(each)
    assert lanes.withdraw(waits)
    assert not lanes.withdraw(waits)
    assert not lanes.withdraw(under_way)
    assert lanes.leave(b"grad") == [goes]
    assert lanes.leave(b"grad") == []
    assert not lanes.withdraw(goes)


@given(st.lists(st.tuples(st.sampled_from("eelw"), st.integers(1, 200), st.integers(0, 7)), max_size=200))
def test_any_order_of_events(events: list[tuple[str, int, int]]) -> None:
    """Nobody is lost, travels twice, waits while a place is free, or travels after others that came later."""
    lanes: Lanes[Member] = Lanes()
    under_way, waiting = 0, list[Member]()
    for event, points, number in events:
        if event == "e":
            member = Member(points=points)
            at_once = lanes.enter(member)
            assert at_once == (under_way < PLACES)
            under_way += at_once
            waiting += [] if at_once else [member]
        elif event == "l" and under_way:
            group = lanes.leave(b"grad")
            assert group == waiting[: len(group)]
            assert bool(group) == bool(waiting)
            assert len(group) <= 1 or sum(each.points for each in group) <= MOST_POINTS
            waiting = waiting[len(group) :]
            under_way -= not group
        elif event == "w" and waiting:
            assert lanes.withdraw(waiting.pop(number % len(waiting)))
    while under_way:
        group = lanes.leave(b"grad")
        waiting = waiting[len(group) :]
        under_way -= not group
    assert waiting == []
