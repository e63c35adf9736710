"""What can stand after a dot: `x.T`, `x.shape[0]`, `x.size`, `x.ndim`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import jax
import jax.numpy as jnp

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.values import Operand, Value, as_operand, shape_of


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an array.

    Attributes:
        rule: Gives it.
        summary: What it is, for the reference.
    """

    rule: Callable[[Operand], Value]
    summary: str


def _transposed(operand: Operand) -> Operand:
    return jnp.transpose(operand) if isinstance(operand, jax.Array) else operand


PROPERTIES: Final[Mapping[str, Property]] = MappingProxyType(
    {
        "T": Property(_transposed, "transposed: the axes in reverse order"),
        "shape": Property(shape_of, "the size of each axis, a tuple of integers"),
        "size": Property(lambda operand: math.prod(shape_of(operand)), "the number of elements, an integer"),
        "ndim": Property(lambda operand: len(shape_of(operand)), "the number of axes, an integer"),
    }
)


def attribute(base: Value, name: str) -> Value:
    """The property `name` of an array.

    Raises:
        FormulaError: If there is no such property.
    """
    entry = PROPERTIES.get(name)
    if entry is None:
        advice = f"The attributes are {', '.join(PROPERTIES)}; functions are called as {name}(x)."
        raise FormulaError(f"there is no attribute {name}", advice)
    return entry.rule(as_operand(base))
