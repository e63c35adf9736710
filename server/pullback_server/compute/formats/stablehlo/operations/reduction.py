"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.regions import binary_operation
from pullback_server.compute.formats.stablehlo.syntax import Operation

COMBINERS: Final[Mapping[str, Callable[..., Any]]] = {
    "stablehlo.add": lax.add,
    "stablehlo.multiply": lax.mul,
    "stablehlo.maximum": lax.max,
    "stablehlo.minimum": lax.min,
    "stablehlo.and": lax.bitwise_and,
    "stablehlo.or": lax.bitwise_or,
    "stablehlo.xor": lax.bitwise_xor,
}
_REDUCERS: Final[Mapping[str, Callable[..., Any]]] = {
    "stablehlo.add": lax.reduce_sum,
    "stablehlo.multiply": lax.reduce_prod,
    "stablehlo.maximum": lax.reduce_max,
    "stablehlo.minimum": lax.reduce_min,
    "stablehlo.and": lax.reduce_and,
    "stablehlo.or": lax.reduce_or,
    "stablehlo.xor": lax.reduce_xor,
}


def identity_of(combiner: str, dtype: np.dtype[Any]) -> Any:
    """The element that a combiner leaves others unchanged by."""
    if combiner in ("stablehlo.add", "stablehlo.or", "stablehlo.xor"):
        return dtype.type(0)
    if combiner == "stablehlo.multiply":
        return dtype.type(1)
    if combiner == "stablehlo.and":
        return dtype.type(-1) if dtype.kind == "i" else np.invert(dtype.type(0))
    lowest = combiner == "stablehlo.maximum"
    if dtype.kind == "b":
        return dtype.type(not lowest)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return dtype.type(limits.min if lowest else limits.max)
    return dtype.type(-np.inf if lowest else np.inf)


def is_identity(combiner: str, value: Any) -> bool:
    """Whether a value is known to be the combiner's identity; a value that is being traced is not."""
    if not isinstance(value, np.ndarray | np.generic):
        return False
    if value.dtype.kind == "c" and combiner in ("stablehlo.maximum", "stablehlo.minimum"):
        return False
    return bool(np.all(value == identity_of(combiner, value.dtype)))


def _reduce(operation: Operation, scope: Scope) -> Emit:
    (block,) = operation.blocks
    axes = operation.attributes["dimensions"]
    combiner = binary_operation(block)
    if combiner is None or combiner not in _REDUCERS:
        return _general(operation, scope)
    reducer, combine = _REDUCERS[combiner], COMBINERS[combiner]

    def emit(operands: Arrays) -> Arrays:
        operand, start = operands
        reduced = reducer(operand, axes)
        return [reduced if is_identity(combiner, start) else combine(_like(start, reduced), reduced)]

    return emit


def _like(scalar: Any, array: Any) -> Any:
    return lax.broadcast_in_dim(scalar, array.shape, ())


def _general(operation: Operation, scope: Scope) -> Emit:
    """A reduction by any region: JAX has it too, with derivatives as far as it can take them."""
    (block,) = operation.blocks
    axes = operation.attributes["dimensions"]
    body = scope.body(block)
    count = len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        arrays, starts, captured = operands[:count], operands[count : 2 * count], operands[2 * count :]

        def combine(left: Any, right: Any) -> Any:
            return tuple(body(captured, (*left, *right)))

        return list(lax.reduce(tuple(arrays), tuple(starts), combine, axes))

    return emit


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.reduce": _reduce}
