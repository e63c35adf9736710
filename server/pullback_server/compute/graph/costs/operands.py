"""The operands and results of an equation, as its cost needs them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.extend import core


def shape_in(equation: core.JaxprEqn, operand: int = 0) -> tuple[int, ...]:
    """The shape of an operand."""
    shape: tuple[int, ...] = _abstract(equation.invars[operand]).shape
    return shape


def size_in(equation: core.JaxprEqn, operand: int = 0) -> int:
    """The elements of an operand."""
    return int(_abstract(equation.invars[operand]).size)


def size_out(equation: core.JaxprEqn, result: int = 0) -> int:
    """The elements of a result."""
    return int(_abstract(equation.outvars[result]).size)


def is_inexact(equation: core.JaxprEqn, operand: int = 0) -> bool:
    """Whether an operand is of floating point or complex; arithmetic on others is not counted."""
    return bool(jnp.issubdtype(_dtype(equation, operand), jnp.inexact))


def is_complex(equation: core.JaxprEqn, operand: int = 0) -> bool:
    """Whether an operand is complex."""
    return bool(jnp.issubdtype(_dtype(equation, operand), jnp.complexfloating))


def _dtype(equation: core.JaxprEqn, operand: int) -> Any:
    return _abstract(equation.invars[operand]).dtype


def _abstract(variable: Any) -> Any:
    """What a variable is known to be; JAX's stubs know of no shape."""
    return variable.aval
