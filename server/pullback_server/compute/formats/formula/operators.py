"""What the operators do: `symbol -> Operator`, a rule for fixed numbers and JAX's for arrays.

How tightly they bind stands in `grammar`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jax.numpy as jnp

from pullback_server.compute.formats.formula import scalars


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator.

    Attributes:
        symbol: How it is written.
        numbers: What it does to numbers that the text fixes; None where that is for JAX to refuse.
        arrays: What it does as soon as an operand is an array.
        jax: JAX's name for that.
        summary: What it gives, for the reference.
    """

    symbol: str
    numbers: scalars.Rule | None
    arrays: Callable[..., Any]
    jax: str
    summary: str


def _table(*operators: Operator) -> Mapping[str, Operator]:
    return MappingProxyType({entry.symbol: entry for entry in operators})


BINARY: Final = _table(
    Operator("**", scalars.power, jnp.power, "jnp.power", "power; groups from the right"),
    Operator("*", operator.mul, jnp.multiply, "jnp.multiply", "product, element by element"),
    Operator("/", operator.truediv, jnp.true_divide, "jnp.true_divide", "quotient"),
    Operator("//", operator.floordiv, jnp.floor_divide, "jnp.floor_divide", "quotient, rounded down"),
    Operator("%", operator.mod, jnp.remainder, "jnp.remainder", "remainder, with the divisor's sign"),
    Operator("@", None, jnp.matmul, "jnp.matmul", "matrix product"),
    Operator("+", operator.add, jnp.add, "jnp.add", "sum"),
    Operator("-", operator.sub, jnp.subtract, "jnp.subtract", "difference"),
    Operator("&", operator.and_, jnp.bitwise_and, "jnp.bitwise_and", "and, of conditions or of bits"),
    Operator("|", operator.or_, jnp.bitwise_or, "jnp.bitwise_or", "or, of conditions or of bits"),
    Operator("<", operator.lt, jnp.less, "jnp.less", "less"),
    Operator("<=", operator.le, jnp.less_equal, "jnp.less_equal", "less or equal"),
    Operator(">", operator.gt, jnp.greater, "jnp.greater", "greater"),
    Operator(">=", operator.ge, jnp.greater_equal, "jnp.greater_equal", "greater or equal"),
    Operator("==", operator.eq, jnp.equal, "jnp.equal", "equal"),
    Operator("!=", operator.ne, jnp.not_equal, "jnp.not_equal", "unequal"),
    Operator("and", scalars.both, jnp.logical_and, "jnp.logical_and", "both nonzero, element by element"),
    Operator("or", scalars.either, jnp.logical_or, "jnp.logical_or", "one nonzero, element by element"),
)
PREFIX: Final = _table(
    Operator("-", operator.neg, jnp.negative, "jnp.negative", "negative"),
    Operator("+", operator.pos, jnp.positive, "jnp.positive", "the operand itself"),
    Operator("~", scalars.invert, jnp.bitwise_not, "jnp.bitwise_not", "not, of conditions or of bits"),
    Operator("not", operator.not_, jnp.logical_not, "jnp.logical_not", "zero, element by element"),
)
