"""Parts of arrays: slices and gathers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _slice(operation: Operation, _: Scope) -> Emit:
    starts, limits, strides = (
        operation.attributes[name] for name in ("start_indices", "limit_indices", "strides")
    )
    return lambda operands: [lax.slice(operands[0], starts, limits, strides)]


def _dynamic_slice(operation: Operation, _: Scope) -> Emit:
    sizes = operation.attributes["slice_sizes"]

    def emit(operands: Arrays) -> Arrays:
        operand, *starts = operands
        # Not the public function: in StableHLO an index below zero is clamped, not counted from the end.
        return [primitives.dynamic_slice_p.bind(operand, *starts, slice_sizes=sizes)]

    return emit


def _dynamic_update_slice(_: Operation, __: Scope) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        return [primitives.dynamic_update_slice_p.bind(*operands)]

    return emit


def index_vectors_last(axis: int, batching: tuple[int, ...]) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
    """Puts the axis of index vectors last, as JAX has it, and renumbers the other axes accordingly."""

    def rearrange(indices: jax.Array) -> jax.Array:
        if axis == indices.ndim:
            return lax.expand_dims(indices, (axis,))
        if axis == indices.ndim - 1:
            return indices
        order = [*(other for other in range(indices.ndim) if other != axis), axis]
        return lax.transpose(indices, order)

    return rearrange, tuple(other - (other > axis) for other in batching)


def _gather(operation: Operation, _: Scope) -> Emit:
    stated = operation.attributes["dimension_numbers"]
    rearrange, batching = index_vectors_last(
        stated["index_vector_dim"], stated["start_indices_batching_dims"]
    )
    numbers = lax.GatherDimensionNumbers(
        offset_dims=stated["offset_dims"],
        collapsed_slice_dims=stated["collapsed_slice_dims"],
        start_index_map=stated["start_index_map"],
        operand_batching_dims=stated["operand_batching_dims"],
        start_indices_batching_dims=batching,
    )
    sizes = operation.attributes["slice_sizes"]
    in_order = bool(operation.attributes.get("indices_are_sorted", False))

    def emit(operands: Arrays) -> Arrays:
        operand, indices = operands
        return [
            lax.gather(
                operand,
                rearrange(indices),
                numbers,
                sizes,
                indices_are_sorted=in_order,
                mode=lax.GatherScatterMode.CLIP,
            )
        ]

    return emit


def _torch_index_select(operation: Operation, _: Scope) -> Emit:
    """Slices along one axis, chosen by indices, batch by batch."""
    axis, batches = operation.attributes["dim"], operation.attributes["batch_dims"]
    shape, index_shape = (type_.shape for type_ in operation.operand_types)
    leading = tuple(range(batches))
    chosen = len(index_shape) - batches
    before, after = axis, axis + chosen
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(*range(batches, before), *range(after, after + len(shape) - axis - 1)),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=leading,
        start_indices_batching_dims=leading,
    )
    sizes = tuple(1 if other in (axis, *leading) else size for other, size in enumerate(shape))

    def emit(operands: Arrays) -> Arrays:
        operand, indices = operands
        column = lax.expand_dims(indices, (indices.ndim,))
        return [lax.gather(operand, column, numbers, sizes, mode=lax.GatherScatterMode.CLIP)]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.slice": _slice,
    "stablehlo.dynamic_slice": _dynamic_slice,
    "stablehlo.dynamic_update_slice": _dynamic_update_slice,
    "stablehlo.gather": _gather,
    "stablehlo.torch_index_select": _torch_index_select,
}
