"""Parts of arrays, read and written: slices, gathers, scatters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.regions import binary_operation
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


def _index_vectors_last(axis: int, batching: tuple[int, ...]) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
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
    rearrange, batching = _index_vectors_last(
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


_SCATTERS: Final[Mapping[str, Callable[..., jax.Array]]] = {
    "return": lax.scatter,
    "stablehlo.add": lax.scatter_add,
    "stablehlo.multiply": lax.scatter_mul,
    "stablehlo.minimum": lax.scatter_min,
    "stablehlo.maximum": lax.scatter_max,
}


def _scatter(operation: Operation, _: Scope) -> Emit:
    (block,) = operation.blocks
    combine = "return" if block.returns == block.arguments[1:] else binary_operation(block)
    if combine is None or combine not in _SCATTERS:
        raise unsupported(
            operation.name,
            "combines values by something else than add, multiply, minimum, maximum or replacing",
        )
    stated = operation.attributes["scatter_dimension_numbers"]
    rearrange, batching = _index_vectors_last(
        stated["index_vector_dim"], stated["scatter_indices_batching_dims"]
    )
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=stated["update_window_dims"],
        inserted_window_dims=stated["inserted_window_dims"],
        scatter_dims_to_operand_dims=stated["scattered_dims_to_operand_dims"],
        operand_batching_dims=stated["input_batching_dims"],
        scatter_indices_batching_dims=batching,
    )
    flags = {
        name: bool(operation.attributes.get(name, False)) for name in ("indices_are_sorted", "unique_indices")
    }

    def emit(operands: Arrays) -> Arrays:
        operand, indices, updates = operands
        return [
            _SCATTERS[combine](
                operand,
                rearrange(indices),
                updates,
                numbers,
                mode=lax.GatherScatterMode.FILL_OR_DROP,
                **flags,
            )
        ]

    return emit


def _single_scatter(operation: Operation, scope: Scope) -> Emit:
    if len(operation.results) != 1:
        raise unsupported(
            operation.name, "of several arrays at once is not served", "scatter them one by one"
        )
    return _scatter(operation, scope)


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.slice": _slice,
    "stablehlo.dynamic_slice": _dynamic_slice,
    "stablehlo.dynamic_update_slice": _dynamic_update_slice,
    "stablehlo.gather": _gather,
    "stablehlo.scatter": _single_scatter,
}
