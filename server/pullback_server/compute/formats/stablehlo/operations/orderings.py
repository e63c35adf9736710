"""Recognising the order that a comparator sorts by. Knows the plain data of a region only, not JAX.

A comparator takes a left and a right element of each array that is sorted, and says whether the left ones
come first. Those that JAX writes compare keys one after the other; each key is an element, or the real or
imaginary part of one, in which all zeros and all NaNs may have been made equal first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from pullback_server.compute.formats.stablehlo.syntax import Block, Operation, Splat

_STRICT: Final = {"LT": False, "GT": True}


@dataclass(frozen=True, slots=True)
class Key:
    """What elements are compared by.

    Attributes:
        operand: The array that they come from.
        part: "real" or "imag" of a complex element; empty for the element itself.
        canonical: Whether zeros of both signs, and all NaNs, were made equal.
        total: Whether floats are compared in IEEE 754's total order.
        descending: Whether the greater come first.
    """

    operand: int
    part: str = ""
    canonical: bool = False
    total: bool = False
    descending: bool = False


def recognise(block: Block, known: Mapping[int, Any]) -> tuple[Key, ...] | None:
    """The keys that a comparator compares, the most important first; None if it is no such comparator.

    Args:
        block: The comparator.
        known: Values from outside of the block by their number, as far as they are constants.
    """
    (answer,) = block.returns
    return _Reading(block, known).keys(answer)


class _Reading:
    def __init__(self, block: Block, known: Mapping[int, Any]) -> None:
        self._operations = {number: made for made in block.operations for number in made.results}
        self._places = {number: place for place, number in enumerate(block.arguments)}
        self._known = known

    def keys(self, number: int) -> tuple[Key, ...] | None:
        """The keys of an expression: a comparison, or `first or (equal and keys)`."""
        if self._is(number, "or"):
            one, other = self._operations[number].operands
            return self._lexicographic(one, other) or self._lexicographic(other, one)
        key = self._comparison(number, _STRICT)
        return None if key is None else (key,)

    def _lexicographic(self, first: int, then: int) -> tuple[Key, ...] | None:
        key = self._comparison(first, _STRICT)
        if key is None or not self._is(then, "and"):
            return None
        one, other = self._operations[then].operands
        for equal, rest in ((one, other), (other, one)):
            if self._comparison(equal, {"EQ": key.descending}) == key:
                further = self.keys(rest)
                return None if further is None else (key, *further)
        return None

    def _comparison(self, number: int, directions: Mapping[str, bool]) -> Key | None:
        if not self._is(number, "compare"):
            return None
        operation = self._operations[number]
        direction = operation.attributes["comparison_direction"]
        left, right = map(self._side, operation.operands)
        if direction not in directions or left is None or right is None:
            return None
        (place, key), (other_place, other_key) = left, right
        if key != other_key or {place, other_place} != {2 * key.operand, 2 * key.operand + 1}:
            return None
        swapped = place > other_place and direction != "EQ"
        total = operation.attributes.get("compare_type") == "TOTALORDER"
        return replace(key, total=total, descending=directions[direction] != swapped)

    def _side(self, number: int) -> tuple[int, Key] | None:
        """The argument that a value is made from, and how."""
        if number in self._places:
            place = self._places[number]
            return place, Key(place // 2)
        for part in ("real", "imag"):
            if self._is(number, part):
                (whole,) = self._operations[number].operands
                return (
                    (self._places[whole], Key(self._places[whole] // 2, part))
                    if whole in self._places
                    else None
                )
        source = self._canonicalised(number)
        inner = None if source is None else self._side(source)
        return None if inner is None else (inner[0], replace(inner[1], canonical=True))

    def _canonicalised(self, number: int) -> int | None:
        """The x of `x is NaN ? NaN : x equals 0 ? 0 : x`."""
        nan, rest = self._choice(number, "NE")
        zero, plain = self._choice(rest, "EQ")
        if plain is None or self._compared(number) != (plain, plain):
            return None
        if self._compared(rest) != (plain, zero) or self._constant(zero) != 0:
            return None
        value = self._constant(nan)
        return plain if value is not None and np.isnan(value) else None

    def _choice(self, number: int | None, direction: str) -> tuple[int | None, int | None]:
        """The branches of a select that a comparison of this direction decides."""
        if number is None or not self._is(number, "select"):
            return None, None
        which, on_true, on_false = self._operations[number].operands
        if not self._is(which, "compare"):
            return None, None
        if self._operations[which].attributes["comparison_direction"] != direction:
            return None, None
        return on_true, on_false

    def _compared(self, number: int | None) -> tuple[int, ...]:
        """What the comparison compares that decides a select."""
        if number is None:
            return ()
        return self._operations[self._operations[number].operands[0]].operands

    def _constant(self, number: int | None) -> Any:
        """The value of a scalar that does not depend on what is compared; None if it is not known."""
        if number is None:
            return None
        operation = self._operations.get(number)
        value = self._known.get(number) if operation is None else _value(operation)
        return value.item() if isinstance(value, np.ndarray | np.generic) and value.size == 1 else None

    def _is(self, number: int, name: str) -> bool:
        return number in self._operations and self._operations[number].name == f"stablehlo.{name}"


def _value(operation: Operation) -> Any:
    value = operation.attributes.get("value") if operation.name == "stablehlo.constant" else None
    return value.element if isinstance(value, Splat) else value
