"""Operations of CHLO, the dialect above StableHLO: special functions, and arithmetic that broadcasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.creation import build_constant
from pullback_server.compute.formats.stablehlo.operations.elementwise import (
    FUNCTIONS,
    comparison,
    limits_of,
    pointwise,
)
from pullback_server.compute.formats.stablehlo.primitives import ELEMENTWISE
from pullback_server.compute.formats.stablehlo.syntax import Operation

_HALF_BITS: Final = 32


def _conjugate(x: jax.Array) -> jax.Array:
    return lax.conj(x) if jnp.iscomplexobj(x) else x


def _is_infinite(*signs: float) -> Callable[[jax.Array], jax.Array]:
    def test(x: jax.Array) -> jax.Array:
        found = [lax.eq(x, lax.full_like(x, sign * np.inf)) for sign in signs]
        return lax.bitwise_or(found[0], found[-1])

    return test


def _high_product(x: jax.Array, y: jax.Array) -> jax.Array:
    """The upper half of the bits of a product of integers."""
    information = limits_of(x.dtype)
    if information.bits <= _HALF_BITS:
        wide = jnp.int64 if information.min < 0 else jnp.uint64
        product = lax.mul(lax.convert_element_type(x, wide), lax.convert_element_type(y, wide))
        return lax.convert_element_type(product >> information.bits, x.dtype)
    shift = lax.shift_right_arithmetic if information.min < 0 else lax.shift_right_logical
    half = lax.full_like(x, _HALF_BITS)
    low = lax.full_like(x, (1 << _HALF_BITS) - 1)
    x_low, y_low, x_high, y_high = x & low, y & low, shift(x, half), shift(y, half)
    carried = lax.add(lax.mul(x_high, y_low), lax.shift_right_logical(lax.mul(x_low, y_low), half))
    middle = lax.add(lax.mul(x_low, y_high), carried & low)
    return lax.add(lax.add(lax.mul(x_high, y_high), shift(carried, half)), shift(middle, half))


def _asin_acos_kernel(z: jax.Array) -> jax.Array:
    """What arcsine and arccosine share: Kahan's square roots, from which both are one step away.

    Source: W. Kahan, "Branch cuts for complex elementary functions", 1987.
    """
    one = lax.full_like(z, 1)
    below, above = lax.sqrt(lax.sub(one, z)), lax.sqrt(lax.add(one, z))
    return lax.complex(
        lax.real(lax.mul(below, above)), lax.abs(lax.asinh(lax.imag(lax.mul(lax.conj(below), above))))
    )


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **{
        name: ELEMENTWISE[name]
        for name in (
            *("acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i1e", "cosh", "digamma"),
            *("erf", "erf_inv", "erfc", "lgamma", "polygamma", "sinh", "square", "tan", "zeta"),
        )
    },
    "_asin_acos_kernel": _asin_acos_kernel,
    "conj": _conjugate,
    "is_inf": _is_infinite(1.0, -1.0),
    "is_neg_inf": _is_infinite(-1.0),
    "is_pos_inf": _is_infinite(1.0),
    "mulhi": _high_product,
    "next_after": ELEMENTWISE["nextafter"],
}
_BROADCAST: Final[Mapping[str, Callable[..., Any]]] = {
    **{
        name: FUNCTIONS[name]
        for name in (
            *("add", "and", "atan2", "complex", "divide", "maximum", "minimum", "multiply", "or", "power"),
            *("remainder", "shift_left", "shift_right_arithmetic", "shift_right_logical", "subtract", "xor"),
        )
    },
    **{name: _FUNCTIONS[name] for name in ("next_after", "polygamma", "zeta")},
}


def _broadcasting(function_of: Callable[[Operation], Callable[..., Any]]) -> Build:
    """The builder of an elementwise operation whose operands are brought to one shape first."""

    def build(operation: Operation, _: Scope) -> Emit:
        function, shape = function_of(operation), operation.result_types[0].shape
        stated = operation.attributes.get("broadcast_dimensions")
        return lambda operands: [function(*(_spread(operand, shape, stated) for operand in operands))]

    return build


def _spread(operand: jax.Array, shape: tuple[int, ...], stated: tuple[int, ...] | None) -> jax.Array:
    rank, missing = np.ndim(operand), len(shape) - np.ndim(operand)
    axes = stated if stated is not None and missing else range(missing, missing + rank)
    return lax.broadcast_in_dim(operand, shape, tuple(axes))


def _select(_: Operation) -> Callable[..., Any]:
    return FUNCTIONS["select"]


def _constant_like(operation: Operation, _: Scope) -> Emit:
    (result,), value = operation.result_types, operation.attributes["value"]
    if isinstance(value, str):
        value = _complex_number(value)
    return lambda _: [lax.full(result.shape, value, result.element.dtype)]


def _complex_number(text: str) -> complex:
    """Reads `#complex.number<:f32 1.0, 2.0>`."""
    numbers = text.partition("<:")[2].partition(">")[0].partition(" ")[2]
    real, imaginary = map(float, numbers.split(","))
    return complex(real, imaginary)


def _top_k(operation: Operation, _: Scope) -> Emit:
    k = operation.attributes["k"]

    def emit(operands: Arrays) -> Arrays:
        outputs = lax.top_k(operands[0], k)
        types = operation.result_types
        return [
            lax.convert_element_type(output, type_.element.dtype)
            for output, type_ in zip(outputs, types, strict=True)
        ]

    return emit


def _scan(operation: Operation, scope: Scope) -> Emit:
    """Inputs are sliced along an axis, and the region gives a slice of each output, then the carries."""
    body = scope.body(operation.blocks[0])
    axis, reverse = operation.attributes["dimension"], bool(operation.attributes.get("is_reverse", False))
    inputs, carries = operation.attributes["operandSegmentSizes"]
    outputs, _ = operation.attributes["resultSegmentSizes"]
    length = operation.attributes.get("scan_dim_size")

    def emit(operands: Arrays) -> Arrays:
        captured = operands[inputs + carries :]

        def step(state: tuple[jax.Array, ...], slices: list[jax.Array]) -> Any:
            out = body(captured, (*slices, *state))
            return tuple(out[outputs:]), out[:outputs]

        slices = [jnp.moveaxis(operand, axis, 0) for operand in operands[:inputs]]
        start = tuple(operands[inputs : inputs + carries])
        last, stacked = lax.scan(step, start, slices, length=length, reverse=reverse)
        return [*(jnp.moveaxis(output, 0, axis) for output in stacked), *last]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    **{f"chlo.{name}": pointwise(function) for name, function in _FUNCTIONS.items()},
    **{
        f"chlo.broadcast_{name}": _broadcasting(lambda _, function=function: function)  # type: ignore[misc]
        for name, function in _BROADCAST.items()
    },
    "chlo.broadcast_compare": _broadcasting(comparison),
    "chlo.broadcast_select": _broadcasting(_select),
    "chlo.constant": build_constant,
    "chlo.constant_like": _constant_like,
    "chlo.scan": _scan,
    "chlo.top_k": _top_k,
}
