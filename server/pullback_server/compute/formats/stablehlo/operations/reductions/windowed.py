"""Reductions over windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.reductions.combining import (
    COMBINERS,
    Combine,
    as_taken,
    combine_by,
    combiner_of,
    differentiated_as,
    fold,
    is_identity,
    is_traced,
    spread,
)
from pullback_server.compute.formats.stablehlo.operations.reductions.windows import Windows, windows_of
from pullback_server.compute.formats.stablehlo.syntax import Operation

_CUMULATIVE: Final[Mapping[str, Callable[..., jax.Array]]] = {
    "stablehlo.add": lax.cumsum,
    "stablehlo.multiply": lax.cumprod,
    "stablehlo.maximum": lax.cummax,
    "stablehlo.minimum": lax.cummin,
}


def _reduce_window(operation: Operation, scope: Scope) -> Emit:
    windows, count = windows_of(operation), len(operation.results)
    combiner = combiner_of(operation.blocks[0]) if count == 1 else None
    running = windows.running(operation.operand_types[0].shape)
    if running is not None:
        return _cumulative(operation, scope, combiner, *running)
    if combiner is None:
        return _general(operation, scope, windows)
    return _known(operation, scope, windows, combiner)


def _known(operation: Operation, scope: Scope, windows: Windows, combiner: str) -> Emit:
    (block,) = operation.blocks
    general = _general(operation, scope, windows)
    # What JAX differentiates: sums, and extremes where nothing is dilated.
    derived = combiner == "stablehlo.add" or (
        combiner in ("stablehlo.maximum", "stablehlo.minimum")
        and all(step == 1 for step in windows.base_dilation)
    )

    def emit(operands: Arrays) -> Arrays:
        start = operands[1]
        if not (derived and is_identity(combiner, start)):
            return general(operands)
        (array,) = as_taken(operands[:1], block)
        return [lax.reduce_window(array, start, COMBINERS[combiner], **windows.parameters())]

    return emit


def _general(operation: Operation, scope: Scope, windows: Windows) -> Emit:
    """Windows of any region."""
    (block,) = operation.blocks
    body, count = scope.body(block), len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        captured = operands[2 * count :]
        values = [*as_taken(operands[:count], block), *as_taken(operands[count : 2 * count], block)]

        def folded(*inputs: jax.Array) -> list[jax.Array]:
            arrays = [
                windows.gather(array, start)
                for array, start in zip(inputs[:count], inputs[count:], strict=True)
            ]
            inside = windows.gather(jnp.ones(inputs[0].shape, bool), jnp.asarray(False))
            starts = [*inputs[count:], jnp.asarray(True)]
            return fold(_skipping(combine_by(body, captured)), starts, [*arrays, inside])[:count]

        def reduced(*inputs: jax.Array) -> list[jax.Array]:
            out = lax.reduce_window(inputs[:count], inputs[count:], combine, **windows.parameters())
            return list(out)

        def combine(left: Any, right: Any) -> Any:
            return tuple(body(captured, (*left, *right)))

        # JAX's own knows no values from outside, and has derivatives for few regions.
        whole = folded if is_traced(captured) else differentiated_as(reduced, folded)
        return list(whole(*values))

    return emit


def _skipping(combine: Combine) -> Combine:
    """A combination of what is there: the last array says of each element whether it is one."""

    def skip(left: Arrays, right: Arrays) -> list[jax.Array]:
        (*before, is_before), (*after, is_after) = left, right
        both = lax.bitwise_and(is_before, is_after)
        chosen = [
            lax.select(both, combined, lax.select(is_before, one, other))
            for combined, one, other in zip(combine(before, after), before, after, strict=True)
        ]
        return [*chosen, lax.bitwise_or(is_before, is_after)]

    return skip


def _cumulative(operation: Operation, scope: Scope, combiner: str | None, axis: int, reverse: bool) -> Emit:
    """Windows that hold all elements up to each one, as those of JAX's cumulative operations do."""
    (block,) = operation.blocks
    body, count = scope.body(block), len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        arrays = as_taken(operands[:count], block)
        starts = as_taken(operands[count : 2 * count], block)
        if combiner is not None and combiner in _CUMULATIVE and is_identity(combiner, operands[1]):
            return [_CUMULATIVE[combiner](arrays[0], axis, reverse)]
        return _accumulate(combine_by(body, operands[2 * count :]), starts, arrays, axis, reverse)

    return emit


def _accumulate(
    combine: Combine, starts: Arrays, arrays: Arrays, axis: int, reverse: bool
) -> list[jax.Array]:
    def forward(left: Arrays, right: Arrays) -> list[jax.Array]:
        return combine(right, left) if reverse else combine(left, right)

    if not arrays[0].size:
        return list(arrays)
    scanned = lax.associative_scan(forward, list(arrays), reverse=reverse, axis=axis)
    return combine(spread(starts, scanned), scanned)


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.reduce_window": _reduce_window}
