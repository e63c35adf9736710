"""Fair queueing: shares come to weights, nobody starves, nothing idles while somebody waits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.scheduling.turns import Line, Share, Turns

Item = int
Numbered = Line[Item, str]


class Tenants:
    """Tenants with a line each, and one worker."""

    def __init__(self, weights: list[float]) -> None:
        self.turns: Turns[Item, str] = Turns()
        self.lines = [Line(Share[Item, str](weight), "lane") for weight in weights]
        self.had = [0.0] * len(weights)
        self._ranks = itertools.count()

    def ask(self, number: int) -> None:
        """One tenant asks for something."""
        line = self.lines[number]
        if not line.waiting:
            self.turns.arrive(line.share, first=not self.turns.contenders)
        rank = next(self._ranks)
        self.turns.push(line, rank, rank)
        self.turns.open(line)

    def serve(self, seconds: float, predicted: float | None = None) -> int:
        """Gives the next one a turn of so many seconds, and tells whose it was."""
        line = self.turns.next()
        assert line is not None
        charged = seconds if predicted is None else predicted
        self.turns.charge(line.share, charged)
        self.turns.remove(line, line.first)
        self.turns.correct(line.share, seconds - charged)
        number = self.lines.index(line)
        self.had[number] += seconds
        return number


@given(
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2, max_size=5),
    st.lists(st.floats(1e-4, 0.05), min_size=5, max_size=5),
    st.floats(0.5, 2.0),
)
def test_shares_come_to_weights(weights: list[float], costs: list[float], error: float) -> None:
    """However different runs are, and however wrong the predictions, time is shared by weight.

    At any time, what two tenants that always wait have had over their weights differs by two runs at most.
    """
    tenants = Tenants(weights)
    for number in range(len(weights)):
        tenants.ask(number)
        tenants.ask(number)
    longest = max(costs[: len(weights)])
    for _ in range(300):
        line = tenants.turns.next()
        assert line is not None
        number = tenants.lines.index(line)
        tenants.serve(costs[number], costs[number] * error)
        tenants.ask(number)
        fair = [had / weight for had, weight in zip(tenants.had, weights, strict=True)]
        assert max(fair) - min(fair) <= 2 * longest / min(weights) + 1e-9


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0.0, 0.1)), max_size=200))
def test_nobody_starves(steps: list[tuple[int, bool, float]]) -> None:
    """Work is served as long as there is some, and all of it; each tenant's in order."""
    tenants = Tenants([1.0, 2.0, 0.25, 7.0])
    asked = 0
    served: list[list[int]] = [[] for _ in tenants.lines]

    def serve(seconds: float) -> None:
        line = tenants.turns.next()
        assert line is not None
        first = line.first
        served[tenants.serve(seconds)].append(first)

    for number, ask, seconds in steps:
        if ask:
            tenants.ask(number)
            asked += 1
        elif tenants.turns.contenders:
            serve(seconds)
        assert bool(tenants.turns.contenders) == any(line.waiting for line in tenants.lines)
    while tenants.turns.contenders:
        serve(0.01)
    assert tenants.turns.next() is None
    assert sum(map(len, served)) == asked
    assert all(numbers == sorted(numbers) for numbers in served)


@given(st.floats(0.0, 100.0))
def test_idleness_saves_nothing_up(idle: float) -> None:
    """Who comes after a while, or for the first time, shares from then on, whatever others had."""
    tenants = Tenants([1.0, 1.0])
    tenants.ask(0)
    tenants.serve(idle)
    for number in (0, 1) * 10:
        tenants.ask(number)
    order = [tenants.serve(1.0) for _ in range(20)]
    assert all(sorted(pair) == [0, 1] for pair in zip(order[::2], order[1::2], strict=True))


def test_a_flood_does_not_delay_others() -> None:
    """Whoever comes while another has a thousand waiting is next, once."""
    tenants = Tenants([1.0, 1.0])
    for _ in range(1000):
        tenants.ask(0)
    for _ in range(5):
        tenants.serve(0.01)
    tenants.ask(1)
    tenants.ask(1)
    assert [tenants.serve(0.01) for _ in range(4)] == [1, 0, 1, 0]


def test_closed_lines_take_no_part() -> None:
    """What is closed waits; opened again it stands where it stood."""
    tenants = Tenants([1.0, 1.0])
    for number in (0, 0, 1):
        tenants.ask(number)
    first = tenants.lines[0]
    tenants.turns.close(first)
    assert tenants.serve(0.01) == 1
    assert tenants.turns.next() is None
    assert not tenants.turns.contenders
    tenants.turns.open(first)
    assert tenants.serve(0.01) == 0


def test_who_waits_where_nothing_starts_saves_little() -> None:
    """A tenant whose line was closed for long does not shut the others out afterwards."""
    tenants = Tenants([1.0, 1.0])
    for _ in range(1000):
        tenants.ask(0)
        tenants.ask(1)
    tenants.turns.close(tenants.lines[0])
    for _ in range(500):
        tenants.serve(0.01)
    tenants.turns.open(tenants.lines[0])
    assert [tenants.serve(0.01) for _ in range(12)].count(1) >= 2


def test_lines_of_one_share_go_by_rank() -> None:
    """Of a tenant's lines the one goes first whose head has the least rank; what is put back stays ahead."""
    turns: Turns[str, str] = Turns()
    share = Share[str, str]()
    one, two = Line(share, "one"), Line(share, "two")
    for line, item, rank in ((one, "a", 1.0), (two, "b", 2.0), (one, "c", 3.0)):
        turns.push(line, item, rank)
        turns.open(line)
    order = []
    while (following := turns.next()) is not None:
        order.append(following.first)
        turns.remove(following, following.first)
        if order == ["a", "b"]:
            turns.put_back(two, "b", 2.0)
            assert turns.next() is one
            turns.open(two)
    assert order == ["a", "b", "b", "c"]
    assert share.newest() is None


def test_newest() -> None:
    """What would go last is found, and taken out from wherever it stands."""
    turns: Turns[str, str] = Turns()
    share = Share[str, str]()
    one, two = Line(share, "one"), Line(share, "two")
    for line, item, rank in ((one, "a", 1.0), (two, "b", 2.0), (one, "c", 3.0)):
        turns.push(line, item, rank)
    for expected in ("c", "b", "a"):
        found = share.newest()
        assert found is not None
        assert found[1] == expected
        turns.remove(*found)


@pytest.mark.parametrize("weight", [0.001, 1000.0])
def test_extreme_weights(weight: float) -> None:
    """The one of little weight has a turn in the end, too."""
    tenants = Tenants([weight, 1.0])
    for _ in range(2000):
        tenants.ask(0)
        tenants.ask(1)
    order = [tenants.serve(0.01) for _ in range(2100)]
    assert {0, 1} == set(order)
