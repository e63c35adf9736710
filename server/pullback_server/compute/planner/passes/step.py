"""What the passes hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.chunks import Chunking
from pullback_server.compute.planner.derivative import Derivative
from pullback_server.compute.planner.passes.sweep import sweep

Items = dict[int, Leaves]
"""Leaves of derivatives, by the derivatives' numbers; the outputs have the number OUTPUTS."""
Found = tuple[Leaves, Items]
"""The value of the function, and what has been found, the outputs among it."""
Step = Callable[..., tuple[Items, Found]]
"""Takes the inputs and gives what later passes differentiate, and, beside it, what was found."""
Primal = Callable[..., tuple[Leaves, Leaves]]
"""Takes the inputs and gives the outputs that have a derivative, and, beside them, the whole result."""

OUTPUTS: Final = -1

X = TypeVar("X")
Y = TypeVar("Y")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all passes over a function know.

    Attributes:
        leaves: The numbers of the argument leaves that are the inputs.
        numbers: The number of each derivative.
        tangents: Those of the request, for the moving leaves of derivatives along GIVEN.
        cotangents: Those of the request.
        chunking: Says how many directions are taken at a time.
        given: What other passes have found for this one.
    """

    leaves: tuple[int, ...]
    numbers: Mapping[Derivative, int]
    tangents: Leaves
    cotangents: Leaves
    chunking: Chunking
    given: Mapping[Derivative, Leaves]

    def number(self, derivative: Derivative | None) -> int:
        """The number of a derivative, or of the outputs."""
        return OUTPUTS if derivative is None else self.numbers[derivative]

    def moving(self, derivative: Derivative, inputs: Sequence[jax.Array]) -> Leaves:
        """Those of the inputs, or of what stands for each of them, that move for a derivative."""
        return tuple(inputs[self.leaves.index(number)] for number in derivative.moving)

    def spread(self, derivative: Derivative, tangents: Leaves, inputs: Leaves) -> Leaves:
        """Tangents for all inputs: the given ones for those that move, zero for the others."""
        given = dict(zip(derivative.moving, tangents, strict=True))
        pairs = zip(self.leaves, inputs, strict=True)
        return tuple(given[number] if number in given else jnp.zeros_like(leaf) for number, leaf in pairs)

    def whole(self, derivative: Derivative) -> bool:
        """Whether all directions of a derivative are taken at a time."""
        return self.chunking.chunk(derivative) >= self.chunking.count(derivative)

    def sweep(self, one: Callable[[X], Y], directions: X, derivative: Derivative) -> Y:
        """Takes the directions of a derivative; see `sweep.sweep`."""
        return sweep(one, directions, self.chunking.count(derivative), self.chunking.chunk(derivative))

    def units(self, derivative: Derivative) -> jax.Array:
        """The numbers of the directions of a derivative."""
        return jnp.arange(self.chunking.count(derivative))
