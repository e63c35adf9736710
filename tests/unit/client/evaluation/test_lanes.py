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


def test_a_call_goes_at_once_while_nothing_is_under_way() -> None:
    """So does a second, which makes the messages equal; others wait, and travel together."""
    lanes: Lanes[Member] = Lanes()
    first, second, third, fourth = (Member() for _ in range(4))
    assert [lanes.enter(each) for each in (first, second)] == [[first], [second]]
    assert [lanes.enter(each) for each in (third, fourth)] == [[], []]
    assert lanes.leave([first]) == [third, fourth]


def test_a_second_message_carries_as_many_as_the_first() -> None:
    """Few wait beside many, until these are answered or they are as many."""
    lanes: Lanes[Member] = Lanes()
    first, second, *many = (Member() for _ in range(5))
    for each in (first, second, *many):
        lanes.enter(each)
    assert lanes.leave([first]) == many
    again, another, last = (Member() for _ in range(3))
    assert lanes.enter(again) == []
    assert lanes.leave([second]) == []
    assert lanes.enter(another) == []
    assert lanes.enter(last) == [again, another, last]
    assert lanes.leave(many) == []
    assert lanes.leave([again, another, last]) == []


@pytest.mark.parametrize(("many", "few"), [(4, 4), (5, 4), (40, 4), (40, 40)])
def test_beside_a_message_of_many_no_other_goes(many: int, few: int) -> None:
    """However many wait: they travel together when it is answered."""
    lanes: Lanes[Member] = Lanes(few)
    first, second, *under_way = (Member() for _ in range(2 + many))
    for each in (first, second, *under_way):
        lanes.enter(each)
    assert lanes.leave([first]) == under_way
    lanes.leave([second])
    waiting = [Member() for _ in range(64)]
    beside = [group for each in waiting if (group := lanes.enter(each))]
    assert beside == ([waiting[:many]] if many <= few else [])
    assert lanes.leave(under_way) == ([] if many == 40 and beside else waiting[len(beside) * many :])


def test_an_empty_lane_is_free_again() -> None:
    """Also for the next call of its kind."""
    lanes: Lanes[Member] = Lanes()
    assert lanes.enter(first := Member()) == [first]
    assert lanes.leave([first]) == []
    assert lanes.enter(second := Member()) == [second]


def test_other_kinds_do_not_wait() -> None:
    """Each derivative has a lane of its own."""
    lanes: Lanes[Member] = Lanes()
    grads, hessians = [Member(b"grad"), Member(b"grad")], [Member(b"hessian") for _ in range(3)]
    assert [lanes.enter(each) for each in grads] == [[each] for each in grads]
    assert [lanes.enter(each) for each in hessians] == [[hessians[0]], [hessians[1]], []]
    assert lanes.leave([grads[0]]) == []
    assert lanes.leave([hessians[1]]) == [hessians[2]]


@pytest.mark.parametrize(
    ("points", "nbytes", "fitting"),
    [(1, 64, 5), (MOST_POINTS // 2, 64, 2), (1, MOST_BYTES // 3, 3), (MOST_POINTS + 1, MOST_BYTES + 1, 1)],
)
def test_a_message_has_its_limits(points: int, nbytes: int, fitting: int) -> None:
    """In points and in bytes; who does not fit travels in the next, and nobody waits for ever."""
    lanes: Lanes[Member] = Lanes()
    under_way = [Member(), Member()]
    waiting = [Member(points=points, nbytes=nbytes) for _ in range(5)]
    for each in (*under_way, *waiting):
        lanes.enter(each)
    assert lanes.leave(under_way[:1]) == waiting[:fitting]


def test_who_gives_up_waiting_does_not_travel() -> None:
    """Who is under way already, or gone, cannot be taken back."""
    lanes: Lanes[Member] = Lanes()
    first, second, waits, goes = (Member() for _ in range(4))
    for each in (first, second, waits, goes):
        lanes.enter(each)
    assert lanes.withdraw(waits)
    assert not lanes.withdraw(waits)
    assert not lanes.withdraw(first)
    assert lanes.leave([first]) == [goes]
    assert lanes.leave([second]) == []
    assert lanes.leave([goes]) == []
    assert not lanes.withdraw(goes)


@given(st.lists(st.tuples(st.sampled_from("eelw"), st.integers(1, 200), st.integers(0, 7)), max_size=200))
def test_any_order_of_events(events: list[tuple[str, int, int]]) -> None:
    """Nobody is lost, travels twice, waits while nothing is under way, or travels after who came later."""
    lanes: Lanes[Member] = Lanes()
    under_way: list[list[Member]] = []
    waiting: list[Member] = []

    def sent(group: list[Member]) -> None:
        assert group == waiting[: len(group)]
        assert len(group) <= 1 or sum(each.points for each in group) <= MOST_POINTS
        del waiting[: len(group)]
        under_way.extend([group] if group else [])
        assert under_way or not waiting
        assert len(under_way) <= PLACES

    for event, points, number in events:
        if event == "e":
            waiting.append(Member(points=points))
            sent(lanes.enter(waiting[-1]))
        elif event == "l" and under_way:
            sent(lanes.leave(under_way.pop(number % len(under_way))))
        elif event == "w" and waiting:
            assert lanes.withdraw(waiting.pop(number % len(waiting)))
    while under_way:
        sent(lanes.leave(under_way.pop()))
    assert waiting == []
