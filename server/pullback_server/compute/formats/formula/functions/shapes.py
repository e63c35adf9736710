"""Functions that build arrays or change their shape.

How large a built array is, is known and checked before JAX is asked for it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import jax.numpy as jnp

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.functions.entry import (
    ONE_AXIS,
    Function,
    Parameter,
    X,
    option,
    unary,
)
from pullback_server.compute.formats.formula.functions.kinds import (
    ARRAY,
    AXES,
    INTEGER,
    INTEGERS,
    NEW_SHAPE,
    NUMBER,
    PARTS,
    SHAPE,
)
from pullback_server.compute.formats.formula.limits import MAX_ELEMENTS
from pullback_server.compute.formats.formula.values import (
    Operand,
    as_array,
    describe,
    require_size,
    shape_of,
)


def _zeros(shape: tuple[int, ...]) -> Any:
    return jnp.zeros(shape)


def _eye(n: int, m: int | None = None, k: int = 0) -> Any:
    sizes = (n, n if m is None else m)
    if min(sizes) < 0:
        raise FormulaError(f"the shape {describe(sizes)} has a negative size", "Use sizes from 0.")
    require_size(sizes, MAX_ELEMENTS)
    return jnp.eye(*sizes, k=k)


def _arange(start: float, stop: float | None = None, step: float = 1) -> Any:
    first, last = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise FormulaError("the step of arange is 0", "Use another step.")
    count = (last - first) / step
    require_size((math.ceil(max(0.0, min(count, 2.0**62))),), MAX_ELEMENTS)
    return jnp.arange(first, last, step)


def _linspace(start: Operand, stop: Operand, num: int = 50) -> Any:
    if num < 0:
        raise FormulaError(f"linspace is asked for {num} points", "Use a number from 0.")
    ends = jnp.broadcast_shapes(shape_of(start), shape_of(stop))
    require_size((num, *ends), MAX_ELEMENTS)
    return jnp.linspace(start, stop, num)


def _broadcast_to(x: Operand, shape: tuple[int, ...]) -> Any:
    return jnp.broadcast_to(as_array(x), shape)


def _size(x: Operand) -> int:
    return math.prod(shape_of(x))


def _len(x: Operand) -> int:
    shape = shape_of(x)
    if not shape:
        raise FormulaError(
            "len is asked of an array without axes", "Write size(x) for the number of elements."
        )
    return shape[0]


_SHAPE: Final = Parameter("shape", NEW_SHAPE)
BUILDING: Final = (
    Function("zeros", _zeros, (_SHAPE,), "jnp.zeros", "array of zeros"),
    Function("ones", jnp.ones, (_SHAPE,), "jnp.ones", "array of ones"),
    Function("full", jnp.full, (_SHAPE, Parameter("value", ARRAY)), "jnp.full", "array of one value"),
    Function(
        "eye",
        _eye,
        (Parameter("n", INTEGER), option("m", INTEGER), option("k", INTEGER)),
        "jnp.eye",
        "identity matrix, or n by m with ones on diagonal k",
    ),
    Function(
        "arange",
        _arange,
        (Parameter("start", NUMBER), option("stop", NUMBER), option("step", NUMBER)),
        "jnp.arange",
        "numbers from start up to stop; arange(n) from 0 up to n",
    ),
    Function(
        "linspace",
        _linspace,
        (Parameter("start", ARRAY), Parameter("stop", ARRAY), option("num", INTEGER)),
        "jnp.linspace",
        "num evenly spaced numbers from start to stop, both included",
    ),
)
SHAPING: Final = (
    Function(
        "reshape",
        jnp.reshape,
        (X, Parameter("shape", SHAPE)),
        "jnp.reshape",
        "in another shape; -1 is inferred",
    ),
    unary("ravel", jnp.ravel, "jnp.ravel", "as one axis"),
    Function("squeeze", jnp.squeeze, (X, option("axis", AXES)), "jnp.squeeze", "without axes of size 1"),
    Function("broadcast_to", _broadcast_to, (X, _SHAPE), "jnp.broadcast_to", "repeated to a shape"),
    Function(
        "transpose",
        jnp.transpose,
        (X, option("axes", AXES)),
        "jnp.transpose",
        "axes reversed, or in this order",
    ),
    Function(
        "concatenate",
        jnp.concatenate,
        (Parameter("arrays", PARTS), ONE_AXIS),
        "jnp.concatenate",
        "joined along an axis that they have, the first by default",
    ),
    Function(
        "stack", jnp.stack, (Parameter("arrays", PARTS), ONE_AXIS), "jnp.stack", "joined along a new axis"
    ),
    Function("flip", jnp.flip, (X, option("axis", AXES)), "jnp.flip", "reversed"),
    Function(
        "roll",
        jnp.roll,
        (X, Parameter("shift", INTEGERS), option("axis", AXES)),
        "jnp.roll",
        "shifted; what falls off the end comes in at the start",
    ),
    Function("size", _size, (X,), "jnp.size", "number of elements, an integer"),
    Function("len", _len, (X,), "len", "size of the first axis, an integer"),
)
