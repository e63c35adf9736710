"""Operations on each element for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation


def pointwise(function: Callable[..., Any]) -> Build:
    """The builder of an operation that is one JAX function of its operands."""

    def build(_: Operation, __: Scope) -> Emit:
        return lambda operands: [function(*operands)]

    return build


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": lax.abs,
    "add": lax.add,
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
    "imag": lax.imag,
    "is_finite": lax.is_finite,
    "log": lax.log,
    "log_plus_one": lax.log1p,
    "logistic": lax.logistic,
    "maximum": lax.max,
    "minimum": lax.min,
    "multiply": lax.mul,
    "negate": lax.neg,
    "not": lax.bitwise_not,
    "or": lax.bitwise_or,
    "popcnt": lax.population_count,
    "power": lax.pow,
    "real": lax.real,
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


def _compare(operation: Operation, _: Scope) -> Emit:
    total = operation.attributes.get("compare_type") == "TOTALORDER"
    direction = operation.attributes["comparison_direction"]
    function = (_TOTAL_ORDER if total else _COMPARISONS)[direction]
    return lambda operands: [function(*operands)]


def _reduce_precision(operation: Operation, _: Scope) -> Emit:
    exponent, mantissa = operation.attributes["exponent_bits"], operation.attributes["mantissa_bits"]
    return lambda operands: [lax.reduce_precision(operands[0], exponent, mantissa)]


def _map(operation: Operation, scope: Scope) -> Emit:
    (block,) = operation.blocks
    if block.captures or any(inner.blocks for inner in block.operations):
        raise unsupported(operation.name, "with more than plain operations in its region is not served")
    body = scope.body(block)

    def emit(operands: Any) -> Any:
        scalars = [lax.reshape(operand, (operand.size,)) for operand in operands]
        shape = operation.result_types[0].shape
        return [lax.reshape(out, shape) for out in jax.vmap(lambda *xs: body((), xs))(*scalars)]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    **{f"stablehlo.{name}": pointwise(function) for name, function in _FUNCTIONS.items()},
    "stablehlo.compare": _compare,
    "stablehlo.reduce_precision": _reduce_precision,
    "stablehlo.map": _map,
}
