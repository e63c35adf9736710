"""Loops whose number of trips the program says.

Such a loop has counters, integers that grow by the same number on every trip from a start that is a
constant, and goes on while one of them compares to a constant. Knows neither MLIR nor JAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pullback_server.compute.formats.stablehlo.integers import (
    Callee,
    Comparison,
    Follower,
    Known,
    Linear,
    fits,
)
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

TRIP: Final = -1
"""Stands for the number of trips done so far, where an integer is linear in it."""
_MOST_TRIPS: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Counted:
    """A loop whose number of trips is known.

    Attributes:
        trips: The number of trips.
        counters: The integers that are linear in the trips, by their positions in the loop's state.
        invariants: The positions in the state of what no trip changes.
    """

    trips: int
    counters: Mapping[int, Linear]
    invariants: frozenset[int]


def invariants_of(body: Block) -> frozenset[int]:
    """The positions in a loop's state of what its body gives back as it came."""
    pairs = zip(body.arguments, body.returns, strict=True)
    return frozenset(i for i, (given, returned) in enumerate(pairs) if given == returned)


def count(operation: Operation, constants: Mapping[int, int], callee: Callee) -> Counted | None:
    """Finds the number of trips of a `while`.

    Args:
        operation: The `while`.
        constants: The integers outside of it that are constants, by their numbers.
        callee: Gives the functions of the module.

    Returns:
        None if the number of trips depends on data, or is hidden too well.
    """
    condition, body = operation.blocks
    invariants = invariants_of(body)
    starts = {i: constants[number] for i, number in enumerate(operation.operands) if number in constants}
    outside: Known = {number: Linear(value) for number, value in constants.items()}
    counters = {i: Linear(start) for i, start in starts.items() if i in invariants}
    steps = _steps(body, outside, counters, starts, callee)
    counters.update({i: Linear(starts[i], step, TRIP) for i, step in steps.items()})
    trips = _trips(condition, outside, counters, callee)
    if trips is None or not _holds(operation, outside, counters, trips, callee):
        return None
    return Counted(trips, counters, invariants)


def _steps(
    body: Block, outside: Known, fixed: Mapping[int, Linear], starts: Mapping[int, int], callee: Callee
) -> dict[int, int]:
    """By how much each counter grows on a trip, taken that nothing overflows."""
    known: Known = dict(outside)
    for i in starts:
        known[body.arguments[i]] = fixed.get(i, Linear(0, 1, body.arguments[i]))
    Follower(callee).follow(body.operations, known)
    steps = {}
    for i in starts.keys() - fixed.keys():
        grown = known.get(body.returns[i])
        if isinstance(grown, Linear) and (grown.base, grown.factor) == (body.arguments[i], 1):
            steps[i] = grown.offset
    return steps


def _trips(condition: Block, outside: Known, counters: Mapping[int, Linear], callee: Callee) -> int | None:
    known: Known = {**outside, **{condition.arguments[i]: counter for i, counter in counters.items()}}
    Follower(callee).follow(condition.operations, known)
    goes_on = known.get(condition.returns[0])
    if isinstance(goes_on, Linear):
        return 0 if goes_on.constant == 0 else None
    trips = None if goes_on is None else _first_failure(goes_on)
    return trips if trips is not None and trips <= _MOST_TRIPS else None


def _first_failure(comparison: Comparison) -> int | None:
    """The first trip before which a comparison fails; None if it holds for ever."""
    start = comparison.left.offset - comparison.right.offset
    step = comparison.left.factor - comparison.right.factor
    match comparison.direction:
        case "LT":
            return _until(start, step)
        case "LE":
            return _until(start - 1, step)
        case "GT":
            return _until(-start, -step)
        case "GE":
            return _until(-start - 1, -step)
        case "NE":
            reached = step != 0 and start % step == 0 and -start // step >= 0
            return -start // step if reached else (0 if start == 0 else None)
        case _:  # EQ
            return 0 if start != 0 else (1 if step != 0 else None)


def _until(start: int, step: int) -> int | None:
    """How many steps it takes from `start` to zero or above."""
    if start >= 0:
        return 0
    return -(start // step) if step > 0 else None


def _holds(
    operation: Operation, outside: Known, counters: Mapping[int, Linear], trips: int, callee: Callee
) -> bool:
    """Whether all is so on every trip: nothing overflows, and every counter grows as it was taken to."""
    condition, body = operation.blocks
    for block, times in ((condition, trips + 1), (body, trips)):
        known: Known = {**outside, **{block.arguments[i]: counter for i, counter in counters.items()}}
        for i, counter in counters.items():
            if not all(fits(end, body.argument_types[i].element) for end in counter.ends(trips + 1) or ()):
                return False
        Follower(callee, times).follow(block.operations, known)
        if block is condition:
            # A condition that compares what overflows is not followed, and so not known.
            if block.returns[0] not in known:
                return False
        elif trips and any(known.get(block.returns[i]) != grown(counter) for i, counter in counters.items()):
            return False
    return True


def grown(counter: Linear) -> Linear:
    """A counter one trip later."""
    return Linear(counter.offset + counter.factor, counter.factor, counter.base)
