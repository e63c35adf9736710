"""Arithmetic, comparisons, logic and functions of numbers, element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.values import is_fixed

_LARGEST_POWER: Final = 64


def unary(function: Callable[[jax.Array], Any]) -> Rule:
    """The rule of a function of one array."""
    return lambda call: function(call.array(0))


def binary(function: Callable[[jax.Array, jax.Array], Any]) -> Rule:
    """The rule of a function of two arrays, which broadcast."""
    return lambda call: function(call.array(0), call.array(1))


def _several(function: Callable[[Any, Any], Any]) -> Rule:
    return lambda call: reduce(function, call.arrays())


def _divide(x: jax.Array, y: jax.Array) -> jax.Array:
    if jnp.issubdtype(x.dtype, jnp.integer):
        return lax.div(*jnp.broadcast_arrays(x, y))
    return jnp.divide(x, y)


def _modulo(call: Call) -> jax.Array:
    function = jnp.fmod if call.attribute("fmod", 0) else jnp.mod
    return function(call.array(0), call.array(1))


def _power(call: Call) -> jax.Array:
    base, exponent = call.array(0), call.value(1)
    if is_fixed(exponent) and exponent.ndim == 0:
        number = float(exponent)
        if number.is_integer() and 0 <= number <= _LARGEST_POWER:
            return lax.integer_pow(base, int(number))
    if jnp.issubdtype(base.dtype, jnp.inexact):
        return jnp.power(base, call.array(1).astype(base.dtype))
    return jnp.power(base, call.array(1)).astype(base.dtype)


def _mean(call: Call) -> jax.Array:
    arrays = call.arrays()
    return reduce(jnp.add, arrays) / np.asarray(len(arrays), arrays[0].dtype)


def _clip(call: Call) -> jax.Array:
    x = call.array(0)
    if call.version < _CLIP_TAKES_BOUNDS:
        low, high = call.attribute("min", None), call.attribute("max", None)
    else:
        low, high = call.optional(1), call.optional(2)
    if low is not None:
        x = jnp.maximum(x, jnp.asarray(low, x.dtype))
    return x if high is None else jnp.minimum(x, jnp.asarray(high, x.dtype))


_CLIP_TAKES_BOUNDS: Final = 11


def _shift(call: Call) -> jax.Array:
    x, y = jnp.broadcast_arrays(call.array(0), call.array(1))
    left = call.attribute("direction") == "LEFT"
    if left:
        return lax.shift_left(x, y)
    signed = jnp.issubdtype(x.dtype, jnp.signedinteger)
    return lax.shift_right_arithmetic(x, y) if signed else lax.shift_right_logical(x, y)


def _is_infinite(call: Call) -> jax.Array:
    x = call.array(0)
    found = jnp.zeros(x.shape, bool)
    if call.attribute("detect_positive", 1):
        found |= jnp.isposinf(x)
    return found | jnp.isneginf(x) if call.attribute("detect_negative", 1) else found


def _where(call: Call) -> jax.Array:
    return jnp.where(call.array(0), call.array(1), call.array(2))


def _reciprocal(x: jax.Array) -> jax.Array:
    return jnp.ones((), x.dtype) / x


OPERATORS: Final[Mapping[str, Rule]] = {
    "Abs": unary(jnp.abs),
    "Acos": unary(jnp.arccos),
    "Acosh": unary(jnp.arccosh),
    "Add": binary(jnp.add),
    "And": binary(jnp.logical_and),
    "Asin": unary(jnp.arcsin),
    "Asinh": unary(jnp.arcsinh),
    "Atan": unary(jnp.arctan),
    "Atanh": unary(jnp.arctanh),
    "BitShift": _shift,
    "BitwiseAnd": binary(jnp.bitwise_and),
    "BitwiseNot": unary(jnp.bitwise_not),
    "BitwiseOr": binary(jnp.bitwise_or),
    "BitwiseXor": binary(jnp.bitwise_xor),
    "Ceil": unary(jnp.ceil),
    "Clip": _clip,
    "Cos": unary(jnp.cos),
    "Cosh": unary(jnp.cosh),
    "Div": binary(_divide),
    "Equal": binary(jnp.equal),
    "Erf": unary(lax.erf),
    "Exp": unary(jnp.exp),
    "Floor": unary(jnp.floor),
    "Greater": binary(jnp.greater),
    "GreaterOrEqual": binary(jnp.greater_equal),
    "Identity": lambda call: call.inputs[0],
    "IsInf": _is_infinite,
    "IsNaN": unary(jnp.isnan),
    "Less": binary(jnp.less),
    "LessOrEqual": binary(jnp.less_equal),
    "Log": unary(jnp.log),
    "Max": _several(jnp.maximum),
    "Mean": _mean,
    "Min": _several(jnp.minimum),
    "Mod": _modulo,
    "Mul": binary(jnp.multiply),
    "Neg": unary(jnp.negative),
    "Not": unary(jnp.logical_not),
    "Or": binary(jnp.logical_or),
    "Pow": _power,
    "Reciprocal": unary(_reciprocal),
    "Round": unary(jnp.round),
    "Sign": unary(jnp.sign),
    "Sin": unary(jnp.sin),
    "Sinh": unary(jnp.sinh),
    "Sqrt": unary(jnp.sqrt),
    "Sub": binary(jnp.subtract),
    "Sum": _several(jnp.add),
    "Tan": unary(jnp.tan),
    "Tanh": unary(jnp.tanh),
    "Where": _where,
    "Xor": binary(jnp.logical_xor),
}
