"""Reductions over axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.reductions.combining import (
    COMBINERS,
    as_taken,
    combine_by,
    combiner_of,
    differentiated_as,
    fold,
    is_identity,
    is_traced,
    spread,
)
from pullback_server.compute.formats.stablehlo.syntax import Operation

_REDUCERS: Final[Mapping[str, Callable[..., Any]]] = {
    "stablehlo.add": lax.reduce_sum,
    "stablehlo.multiply": lax.reduce_prod,
    "stablehlo.maximum": lax.reduce_max,
    "stablehlo.minimum": lax.reduce_min,
    "stablehlo.and": lax.reduce_and,
    "stablehlo.or": lax.reduce_or,
    "stablehlo.xor": lax.reduce_xor,
}


def _reduce(operation: Operation, scope: Scope) -> Emit:
    (block,) = operation.blocks
    axes = operation.attributes["dimensions"]
    combiner = combiner_of(block)
    if combiner is None or len(operation.results) != 1:
        return _general(operation, scope)
    reducer, combine = _REDUCERS[combiner], COMBINERS[combiner]

    def emit(operands: Arrays) -> Arrays:
        (operand,), (start,) = as_taken(operands[:1], block), operands[1:]
        reduced = reducer(operand, axes)
        if is_identity(combiner, start):
            return [reduced]
        return [combine(*spread(as_taken([start], block), [reduced]), reduced)]

    return emit


def _general(operation: Operation, scope: Scope) -> Emit:
    """A reduction by any region."""
    (block,) = operation.blocks
    axes = operation.attributes["dimensions"]
    body = scope.body(block)
    count = len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        captured = operands[2 * count :]
        values = [*as_taken(operands[:count], block), *as_taken(operands[count : 2 * count], block)]

        def folded(*inputs: jax.Array) -> list[jax.Array]:
            arrays = [_reduced_first(array, axes) for array in inputs[:count]]
            return fold(combine_by(body, captured), inputs[count:], arrays)

        def reduced(*inputs: jax.Array) -> list[jax.Array]:
            return list(lax.reduce(inputs[:count], inputs[count:], combine, axes))

        def combine(left: Any, right: Any) -> Any:
            return tuple(body(captured, (*left, *right)))

        # JAX's own reduction knows no values from outside, and differentiates few regions.
        whole = folded if is_traced(captured) else differentiated_as(reduced, folded)
        return list(whole(*values))

    return emit


def _reduced_first(array: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """The axes that are reduced as one, before all others."""
    count = math.prod(array.shape[axis] for axis in axes)
    moved = jnp.moveaxis(array, axes, range(len(axes)))
    return lax.reshape(moved, (count, *moved.shape[len(axes) :]))


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.reduce": _reduce}
