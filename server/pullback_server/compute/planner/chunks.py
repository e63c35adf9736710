"""How many directions are taken at a time, so that memory stays within a budget. Knows no JAX.

Directions that are taken together each need a copy of the intermediate values that depend on them. As many
go together as the budget holds: all of them for small functions, and then nothing is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.footprint import Footprint
from pullback_server.model.quantities import Mode


@dataclass(frozen=True, slots=True)
class Chunking:
    """Cuts the directions of derivatives of one function.

    Attributes:
        footprint: The function's intermediate values.
        elements: The elements of each argument leaf, by its number.
        outputs: The elements of all outputs together.
        itemsize: The bytes of an element, at most.
        budget: The bytes that the directions of one derivative may take.
    """

    footprint: Footprint
    elements: tuple[int, ...]
    outputs: int
    itemsize: int
    budget: int

    def count(self, derivative: Derivative) -> int:
        """The number of directions of a derivative."""
        if derivative.coloring is not None:
            return derivative.coloring.colors
        if derivative.along is Along.GIVEN:
            return 1 if derivative.directions is None else derivative.directions
        if not derivative.sweeps:
            return 1
        if derivative.mode is Mode.REVERSE:
            return self._size(derivative.source)
        return self._moving(derivative)

    def chunk(self, derivative: Derivative) -> int:
        """How many directions of a derivative are taken at a time: all of them, or what the budget holds.

        A divisor of their number is preferred, since a remainder is compiled on its own.
        """
        count = self.count(derivative)
        most = self.budget // max(self._each(derivative), 1)
        if most >= count:
            return max(count, 1)
        return _divisor(count, max(most, 1))

    def working(self, derivative: Derivative) -> int:
        """The bytes that a derivative takes while it is computed, beside its result."""
        return self._each(derivative) * self.chunk(derivative)

    def _each(self, derivative: Derivative) -> int:
        """The bytes of one direction: the change of everything between the inputs and the source."""
        source = derivative.source
        if source is None:
            return 2 * self.footprint.live if derivative.curves else self.footprint.live
        # What reverse mode keeps changes with the direction, too.
        return self.footprint.tape + self.working(source) + self._size(source) * self.itemsize

    def _size(self, item: Derivative | None) -> int:
        """The elements of a derivative, or of the outputs."""
        if item is None:
            return self.outputs
        if item.along is Along.ONE:
            return self._moving(item)
        return self._size(item.source) * self._moving(item)

    def _moving(self, derivative: Derivative) -> int:
        return sum(self.elements[number] for number in derivative.moving)


def _divisor(count: int, most: int) -> int:
    """The largest divisor of a count from the most down to its half; the most itself where there is none."""
    sizes: Iterable[int] = range(most, most // 2, -1)
    # The fewer are tried, the divisors or the quotients: no more than twice the square root of the count.
    if most * most > count:
        quotients = range(-(-count // most), count // (most // 2 + 1) + 1)
        sizes = (count // quotient for quotient in quotients if count % quotient == 0)
    return next((size for size in sizes if count % size == 0), most)


def sweeps_of(chunking: Chunking, derivative: Derivative) -> int:
    """How many times directions are taken for a derivative."""
    return math.ceil(chunking.count(derivative) / chunking.chunk(derivative))
