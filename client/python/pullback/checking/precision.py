"""How accurate an element type is, and so how much two derivatives may differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType


@dataclass(frozen=True, slots=True)
class Precision:
    """What can be expected of an element type.

    Attributes:
        epsilon: The distance from 1 to the next number.
        halvings: How many step sizes are tried, each half of the one before.
        differences: The relative tolerance against finite differences.
        exact: The relative tolerance between two ways that should differ by rounding only.
    """

    epsilon: float
    halvings: int
    differences: float
    exact: float


_DOUBLE: Final = Precision(2.0**-52, 18, 1e-6, 1e-9)
_SINGLE: Final = Precision(2.0**-23, 9, 2e-3, 5e-4)
_HALF: Final = Precision(2.0**-10, 5, 5e-2, 3e-2)
_BRAIN: Final = Precision(2.0**-7, 4, 2e-1, 1e-1)
_TINY: Final = Precision(2.0**-2, 3, 5e-1, 5e-1)
_OF: Final = {
    ElementType.F64: _DOUBLE,
    ElementType.C128: _DOUBLE,
    ElementType.F32: _SINGLE,
    ElementType.C64: _SINGLE,
    ElementType.F16: _HALF,
    ElementType.BF16: _BRAIN,
}


def precision_of(leaves: Iterable[TensorType]) -> Precision:
    """What can be expected of the least accurate of some types; integers do not count."""
    found = [_OF.get(leaf.element, _TINY) for leaf in leaves if leaf.element.differentiable]
    return max(found, key=lambda precision: precision.epsilon, default=_DOUBLE)
