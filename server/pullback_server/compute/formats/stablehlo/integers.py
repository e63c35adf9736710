"""Follows integers through operations: constants, and what is linear in a counter.

Knows neither MLIR nor JAX. What it cannot follow it does not know; it never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pullback.program.elements import ElementType
from pullback_server.compute.formats.stablehlo.limits import DEEPEST_FOLLOWED, MOST_FOLLOWED
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation, Splat

_BITS: Final = {
    element: int(element.value.lstrip("ui"))
    for element in ElementType
    if element.value.startswith(("i", "ui"))
}


@dataclass(frozen=True, slots=True)
class Linear:
    """The integer `offset + factor * x`, or an array of such integers, all equal.

    Attributes:
        offset: What is added.
        factor: How often x is taken; 0 for a constant.
        base: The number of the value that x is; None for a constant.
    """

    offset: int
    factor: int = 0
    base: int | None = None

    @property
    def constant(self) -> int | None:
        """The integer, where it is a constant."""
        return self.offset if self.base is None else None

    def ends(self, trips: int | None) -> tuple[int, int] | None:
        """The values at x = 0 and x = trips - 1, between which all others lie; None where it is unknown."""
        if self.base is None:
            return self.offset, self.offset
        return None if trips is None else (self.offset, self.offset + self.factor * max(trips - 1, 0))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two integers that holds on some trips, and on others not.

    Attributes:
        direction: LT, LE, GT, GE, EQ or NE.
        left: The one.
        right: The other.
    """

    direction: str
    left: Linear
    right: Linear


Known = dict[int, Linear | Comparison]
"""What is known of values, by their numbers."""
Callee = Callable[[str], Block]
"""Gives the body of a function of the same module by its name."""


@dataclass(slots=True)
class Follower:
    """Follows integers through the operations of a module.

    Attributes:
        callee: Gives the functions that are called.
        trips: How often the loop runs whose counter is followed, where that is known: then integers that
            might overflow are given up, and comparisons that hold on every trip become constants.
        remaining: How many more operations it looks at; behind them it knows nothing.
    """

    callee: Callee
    trips: int | None = None
    remaining: int = MOST_FOLLOWED

    def follow(self, operations: Sequence[Operation], known: Known, depth: int = 0) -> None:
        """Adds to `known` what follows for the results of operations."""
        for operation in operations[: max(self.remaining, 0)]:
            self.remaining -= 1
            if operation.name == "func.call":
                self._call(operation, known, depth)
                continue
            rule = _RULES.get(operation.name)
            if rule is None:
                continue
            found = rule(self, operation, [known.get(number) for number in operation.operands])
            if found is not None and self._fits(found, operation):
                known[operation.results[0]] = found

    def _call(self, operation: Operation, known: Known, depth: int) -> None:
        given = [known.get(number) for number in operation.operands]
        if depth == DEEPEST_FOLLOWED or not any(map(is_moving, given)):
            return
        block = self.callee(operation.attributes["callee"])
        inner: Known = {
            number: value for number, value in zip(block.arguments, given, strict=True) if value is not None
        }
        self.follow(block.operations, inner, depth + 1)
        for result, returned in zip(operation.results, block.returns, strict=True):
            if returned in inner:
                known[result] = inner[returned]

    def _fits(self, found: Linear | Comparison, operation: Operation) -> bool:
        """Whether a result is what it is taken for on every trip: no integer overflows."""
        ends = found.ends(self.trips) if isinstance(found, Linear) else None
        return ends is None or all(fits(end, operation.result_types[0].element) for end in ends)


def is_moving(value: Linear | Comparison | None) -> bool:
    """Whether a value is an integer that changes with the counter."""
    return isinstance(value, Linear) and value.base is not None


def fits(value: int, element: ElementType) -> bool:
    """Whether an element type has an integer."""
    bits = _BITS.get(element)
    if bits is None:
        return False
    if element.value.startswith("u") or bits == 1:
        return 0 <= value < 1 << bits
    return -(1 << (bits - 1)) <= value < 1 << (bits - 1)


Given = list[Linear | Comparison | None]
_Rule = Callable[[Follower, Operation, Given], Linear | Comparison | None]


def _constant(_: Follower, operation: Operation, __: Given) -> Linear | None:
    value: Any = operation.attributes["value"]
    if operation.result_types[0].element not in _BITS:
        return None
    if isinstance(value, Splat):
        return Linear(int(value.element))
    return Linear(int(value)) if np.ndim(value) == 0 else None


def _same(_: Follower, operation: Operation, given: Given) -> Linear | Comparison | None:
    sides = (operation.operand_types[0].element, operation.result_types[0].element)
    return given[0] if all(element in _BITS for element in sides) else None


def _arithmetic(combine: Callable[[Linear, Linear], Linear | None]) -> _Rule:
    def rule(_: Follower, __: Operation, given: Given) -> Linear | None:
        left, right = given
        return combine(left, right) if isinstance(left, Linear) and isinstance(right, Linear) else None

    return rule


def _add(left: Linear, right: Linear, sign: int = 1) -> Linear | None:
    if left.base is not None and right.base is not None and left.base != right.base:
        return None
    factor = left.factor + sign * right.factor
    base = left.base if left.base is not None else right.base
    return Linear(left.offset + sign * right.offset, factor, base if factor else None)


def _multiply(left: Linear, right: Linear) -> Linear | None:
    if left.constant is None:
        left, right = right, left
    if left.constant is None:
        return None
    factor = left.offset * right.factor
    return Linear(left.offset * right.offset, factor, right.base if factor else None)


def _compare(follower: Follower, operation: Operation, given: Given) -> Linear | Comparison | None:
    left, right = given
    if not isinstance(left, Linear) or not isinstance(right, Linear):
        return None
    comparison = Comparison(operation.attributes["comparison_direction"], left, right)
    holds = _decide(comparison, follower.trips)
    return comparison if holds is None else Linear(int(holds))


def _decide(comparison: Comparison, trips: int | None) -> bool | None:
    difference = _add(comparison.left, comparison.right, -1)
    ends = difference.ends(trips) if difference is not None else None
    if ends is None:
        return None
    low, high = min(ends), max(ends)
    return _DECISIONS[comparison.direction](low, high)


def _settled(always: bool, never: bool) -> bool | None:
    return True if always else False if never else None


_DECISIONS: Final[Mapping[str, Callable[[int, int], bool | None]]] = {
    "LT": lambda low, high: _settled(high < 0, low >= 0),
    "LE": lambda low, high: _settled(high <= 0, low > 0),
    "GT": lambda low, high: _settled(low > 0, high <= 0),
    "GE": lambda low, high: _settled(low >= 0, high < 0),
    "EQ": lambda low, high: _settled(low == high == 0, low > 0 or high < 0),
    "NE": lambda low, high: _settled(low > 0 or high < 0, low == high == 0),
}


def _select(_: Follower, __: Operation, given: Given) -> Linear | Comparison | None:
    which, on_true, on_false = given
    if not isinstance(which, Linear) or which.constant is None:
        return None
    return on_true if which.constant else on_false


def _extreme(*, smaller: bool) -> _Rule:
    def rule(follower: Follower, _: Operation, given: Given) -> Linear | None:
        left, right = given
        if not isinstance(left, Linear) or not isinstance(right, Linear):
            return None
        is_less = _decide(Comparison("LE", left, right), follower.trips)
        if is_less is None:
            return None
        return left if is_less == smaller else right

    return rule


_RULES: Final[Mapping[str, _Rule]] = {
    "stablehlo.constant": _constant,
    "stablehlo.convert": _same,
    "stablehlo.reshape": _same,
    "stablehlo.broadcast_in_dim": _same,
    "stablehlo.add": _arithmetic(_add),
    "stablehlo.subtract": _arithmetic(lambda left, right: _add(left, right, -1)),
    "stablehlo.multiply": _arithmetic(_multiply),
    "stablehlo.compare": _compare,
    "stablehlo.select": _select,
    "stablehlo.maximum": _extreme(smaller=False),
    "stablehlo.minimum": _extreme(smaller=True),
}
