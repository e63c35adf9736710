"""Operations on each element for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from pullback.program.elements import ElementType
from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.syntax import Operation

_SINGLE_BYTES: Final = 4
NARROW: Final = frozenset(element.dtype for element in ElementType if element.value.endswith(("i2", "i4")))
"""Integers that few functions of JAX take."""


def pointwise(function: Callable[..., Any]) -> Build:
    """The builder of an operation that is one JAX function of its operands."""

    def build(_: Operation, __: Scope) -> Emit:
        return lambda operands: [function(*operands)]

    return build


def _for_booleans(function: Callable[..., Any], on_booleans: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that StableHLO defines for booleans too, and JAX by another function."""

    def apply(*operands: jax.Array) -> Any:
        return (on_booleans if operands[0].dtype == bool else function)(*operands)

    return apply


def _real(x: jax.Array) -> jax.Array:
    return lax.real(x) if jnp.iscomplexobj(x) else x


def _imag(x: jax.Array) -> jax.Array:
    return lax.imag(x) if jnp.iscomplexobj(x) else lax.full_like(x, 0)


def _absolute(x: jax.Array) -> jax.Array:
    if x.dtype in NARROW:
        return lax.select(lax.lt(x, lax.full_like(x, 0)), lax.neg(x), x)
    return lax.abs(x)


def _logistic(x: jax.Array) -> jax.Array:
    """In single precision for what is narrower: JAX would round each step."""
    if jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize < _SINGLE_BYTES:
        return lax.convert_element_type(lax.logistic(lax.convert_element_type(x, jnp.float32)), x.dtype)
    return lax.logistic(x)


def _power(base: jax.Array, exponent: jax.Array) -> jax.Array:
    if not jnp.issubdtype(base.dtype, jnp.integer):
        return lax.pow(base, exponent)
    return _integer_power(base, exponent)


def limits_of(dtype: Any) -> Any:
    """The lowest and the highest integer of a dtype, and its bits, as numpy's `iinfo` gives them."""
    iinfo: Callable[..., Any] = jnp.iinfo
    return iinfo(dtype)


def _integer_power(base: jax.Array, exponent: jax.Array) -> jax.Array:
    """By repeated squaring, modulo the width; of what lies below zero only units have a negative power."""
    zero, one = lax.full_like(base, 0), lax.full_like(base, 1)

    def square(_: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        result, factor, rest = state
        odd = lax.ne(lax.bitwise_and(rest, one), zero)
        grown = lax.select(odd, lax.mul(result, factor), result)
        return grown, lax.mul(factor, factor), lax.shift_right_logical(rest, one)

    signed = jnp.issubdtype(base.dtype, jnp.signedinteger)
    magnitude = _absolute(exponent) if signed else exponent
    power: jax.Array
    power, _, _ = lax.fori_loop(0, limits_of(base.dtype).bits, square, (one, base, magnitude))
    if not signed:
        return power
    unit = lax.eq(lax.mul(base, base), one) & lax.le(_absolute(base), one)
    vanishes = lax.bitwise_and(lax.lt(exponent, zero), lax.bitwise_not(unit))
    return lax.select(vanishes, zero, power)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": _absolute,
    "add": _for_booleans(lax.add, lax.bitwise_or),
    "and": lax.bitwise_and,
    "atan2": lax.atan2,
    "cbrt": lax.cbrt,
    "ceil": lax.ceil,
    "clamp": lax.clamp,
    "complex": lax.complex,
    "cosine": lax.cos,
    "count_leading_zeros": lax.clz,
    "divide": lax.div,
    "exponential": lax.exp,
    "exponential_minus_one": lax.expm1,
    "floor": lax.floor,
    "imag": _imag,
    "is_finite": lax.is_finite,
    "log": lax.log,
    "log_plus_one": lax.log1p,
    "logistic": _logistic,
    "maximum": lax.max,
    "minimum": lax.min,
    "multiply": _for_booleans(lax.mul, lax.bitwise_and),
    "negate": lax.neg,
    "not": lax.bitwise_not,
    "or": lax.bitwise_or,
    "popcnt": lax.population_count,
    "power": _power,
    "real": _real,
    "remainder": lax.rem,
    "round_nearest_afz": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
    "round_nearest_even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
    "rsqrt": lax.rsqrt,
    "select": lambda which, on_true, on_false: lax.select_n(which, on_false, on_true),
    "shift_left": lax.shift_left,
    "shift_right_arithmetic": lax.shift_right_arithmetic,
    "shift_right_logical": lax.shift_right_logical,
    "sign": lax.sign,
    "sine": lax.sin,
    "sqrt": lax.sqrt,
    "subtract": lax.sub,
    "tan": lax.tan,
    "tanh": lax.tanh,
    "xor": lax.bitwise_xor,
}
_COMPARISONS: Final[Mapping[str, Callable[..., Any]]] = {
    "EQ": lax.eq,
    "NE": lax.ne,
    "GE": lax.ge,
    "GT": lax.gt,
    "LE": lax.le,
    "LT": lax.lt,
}
_TOTAL_ORDER: Final[Mapping[str, Callable[..., Any]]] = {
    "EQ": primitives.eq_to_p.bind,
    "LE": primitives.le_to_p.bind,
    "LT": primitives.lt_to_p.bind,
    "GE": lambda x, y: primitives.le_to_p.bind(y, x),
    "GT": lambda x, y: primitives.lt_to_p.bind(y, x),
    "NE": lambda x, y: lax.bitwise_not(primitives.eq_to_p.bind(x, y)),
}


def comparison(operation: Operation) -> Callable[..., Any]:
    """The function of two arrays that an operation with a direction of comparison stands for."""
    floats = operation.operand_types[0].element.value[0] in "fb"
    total = floats and operation.attributes.get("compare_type") == "TOTALORDER"
    return (_TOTAL_ORDER if total else _COMPARISONS)[operation.attributes["comparison_direction"]]


def _compare(operation: Operation, _: Scope) -> Emit:
    function = comparison(operation)
    return lambda operands: [function(*operands)]


def _reduce_precision(operation: Operation, _: Scope) -> Emit:
    exponent, mantissa = operation.attributes["exponent_bits"], operation.attributes["mantissa_bits"]
    return lambda operands: [lax.reduce_precision(operands[0], exponent, mantissa)]


def on_scalars(body: Body, captured: Arrays, arrays: Arrays) -> list[jax.Array]:
    """Applies a region of scalars to the elements of arrays of one shape."""
    shape = arrays[0].shape
    flat = [lax.reshape(array, (array.size,)) for array in arrays]
    if not flat[0].size:
        return [lax.full(shape, 0, type_.element.dtype) for type_ in body.block.return_types]
    return [lax.reshape(out, shape) for out in jax.vmap(lambda *xs: body(captured, xs))(*flat)]


def _map(operation: Operation, scope: Scope) -> Emit:
    body = scope.body(operation.blocks[0])
    count = len(operation.operands)
    return lambda operands: on_scalars(body, operands[count:], operands[:count])


BUILDERS: Final[Mapping[str, Build]] = {
    **{f"stablehlo.{name}": pointwise(function) for name, function in FUNCTIONS.items()},
    "stablehlo.compare": _compare,
    "stablehlo.reduce_precision": _reduce_precision,
    "stablehlo.map": _map,
}
