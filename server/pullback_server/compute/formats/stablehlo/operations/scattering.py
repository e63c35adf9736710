"""Updates of parts of arrays: scatters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback.program.elements import ElementType
from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.elementwise import on_scalars
from pullback_server.compute.formats.stablehlo.operations.indexing import index_vectors_last
from pullback_server.compute.formats.stablehlo.operations.reductions.combining import as_taken
from pullback_server.compute.formats.stablehlo.operations.reductions.regions import binary_operation
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

_REPLACE: Final = "replace"
_SCATTERS: Final[Mapping[str, Callable[..., jax.Array]]] = {
    _REPLACE: lax.scatter,
    "stablehlo.add": lax.scatter_add,
    "stablehlo.subtract": lax.scatter_sub,
    "stablehlo.multiply": lax.scatter_mul,
    "stablehlo.minimum": lax.scatter_min,
    "stablehlo.maximum": lax.scatter_max,
}
# What combines booleans as arithmetic does others.
_AMONG_BOOLEANS: Final = {
    _REPLACE: lax.scatter,
    "stablehlo.add": lax.scatter_max,
    "stablehlo.or": lax.scatter_max,
    "stablehlo.maximum": lax.scatter_max,
    "stablehlo.multiply": lax.scatter_min,
    "stablehlo.and": lax.scatter_min,
    "stablehlo.minimum": lax.scatter_min,
}


def _scatter(operation: Operation, scope: Scope) -> Emit:
    known = _known(operation.blocks[0]) if len(operation.results) == 1 else None
    return _general(operation, scope) if known is None else _by(known, operation)


def _known(block: Block) -> Callable[..., jax.Array] | None:
    """JAX's scatter that combines elements as a region does; None if there is none."""
    first, second = block.argument_types
    combination = _REPLACE if block.returns == block.arguments[1:] else binary_operation(block)
    if combination is None or first != second:
        return None
    if first.element is ElementType.I1:
        return _AMONG_BOOLEANS.get(combination)
    if first.element.is_complex and combination in ("stablehlo.minimum", "stablehlo.maximum"):
        return None
    return _SCATTERS.get(combination)


def _by(scatter: Callable[..., jax.Array], operation: Operation) -> Emit:
    stated = operation.attributes["scatter_dimension_numbers"]
    rearrange, batching = index_vectors_last(
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
    block = operation.blocks[0]

    def emit(operands: Arrays) -> Arrays:
        operand, indices, updates = operands
        operand, updates = as_taken([operand, updates], block)
        mode = lax.GatherScatterMode.FILL_OR_DROP
        return [scatter(operand, rearrange(indices), updates, numbers, mode=mode, **flags)]

    return emit


@dataclass(frozen=True, slots=True)
class _Updates:
    """_Updates as a list of windows, each as large in every axis as what it replaces.

    Attributes:
        starts: Where each window starts: its number, and the operand's axis.
        windows: The windows for each operand: their number, and the operand's axes.
    """

    starts: jax.Array
    windows: list[jax.Array]


def _updates(stated: Mapping[str, Any], rank: int, indices: jax.Array, updates: Arrays) -> _Updates:
    """Reads the dimension numbers of a scatter."""
    rearrange, batching = index_vectors_last(
        stated["index_vector_dim"], stated["scatter_indices_batching_dims"]
    )
    vectors = rearrange(indices)
    places = vectors.shape[:-1]
    columns = {axis: vectors[..., k] for k, axis in enumerate(stated["scattered_dims_to_operand_dims"])}
    for axis, along in zip(stated["input_batching_dims"], batching, strict=True):
        columns[axis] = lax.broadcasted_iota(vectors.dtype, places, along)
    zero = jnp.zeros(places, vectors.dtype)
    starts = jnp.stack([columns.get(axis, zero) for axis in range(rank)], axis=-1)
    narrow = {*stated["inserted_window_dims"], *stated["input_batching_dims"]}
    within = stated["update_window_dims"]
    windows = []
    for update in updates:
        order = [*(axis for axis in range(update.ndim) if axis not in within), *within]
        sizes = iter([update.shape[axis] for axis in within])
        shape = [1 if axis in narrow else next(sizes) for axis in range(rank)]
        windows.append(lax.transpose(update, order).reshape(-1, *shape))
    return _Updates(starts.reshape(windows[0].shape[0], rank), windows)


def _general(operation: Operation, scope: Scope) -> Emit:
    """A scatter by any region, of any number of arrays."""
    (block,) = operation.blocks
    body, count = scope.body(block), len(operation.results)
    stated = operation.attributes["scatter_dimension_numbers"]
    unique = bool(operation.attributes.get("unique_indices", False))

    def emit(operands: Arrays) -> Arrays:
        arrays, indices, captured = operands[:count], operands[count], operands[2 * count + 1 :]
        taken = as_taken([*arrays, *operands[count + 1 : 2 * count + 1]], block)
        updates = _updates(stated, arrays[0].ndim, indices, taken[count:])
        if not updates.windows[0].size:
            return taken[:count]
        return (_at_once if unique else _one_by_one)(body, captured, taken[:count], updates)

    return emit


def _one_by_one(body: Body, captured: Arrays, arrays: Arrays, updates: _Updates) -> list[jax.Array]:
    """Combines windows of arrays with updates, one after the other; drops those that do not fit in."""

    def step(state: list[jax.Array], update: Any) -> Any:
        start, inside, windows = update
        current = _windows_at(state, start, windows)
        combined = on_scalars(body, captured, [*current, *windows])
        return [
            lax.dynamic_update_slice(array, lax.select(jnp.broadcast_to(inside, new.shape), new, old), start)
            for array, new, old in zip(state, combined, current, strict=True)
        ], None

    inside = _fit(arrays[0], updates)
    starts = jnp.where(inside[:, None], updates.starts, 0)
    state, _ = lax.scan(step, list(arrays), (starts, inside, updates.windows))
    return state


def _at_once(body: Body, captured: Arrays, arrays: Arrays, updates: _Updates) -> list[jax.Array]:
    """The same where no two updates meet."""
    inside = _fit(arrays[0], updates)
    starts = jnp.where(inside[:, None], updates.starts, 0)
    current = jax.vmap(lambda start, windows: _windows_at(arrays, start, windows))(starts, updates.windows)
    combined = on_scalars(body, captured, [*current, *updates.windows])
    axes = tuple(range(arrays[0].ndim))
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=tuple(axis + 1 for axis in axes),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=axes,
    )
    outside = jnp.asarray(np.iinfo(np.int64).max, jnp.int64)
    places = jnp.where(inside[:, None], updates.starts.astype(jnp.int64), outside)
    mode = lax.GatherScatterMode.FILL_OR_DROP
    return [
        lax.scatter(array, places, new, numbers, unique_indices=True, mode=mode)
        for array, new in zip(arrays, combined, strict=True)
    ]


def _windows_at(arrays: Arrays, start: jax.Array, windows: Arrays) -> list[jax.Array]:
    return [
        lax.dynamic_slice(array, start, window.shape) for array, window in zip(arrays, windows, strict=True)
    ]


def scatter_elements(
    block: Block, scope: Scope
) -> Callable[[Arrays, jax.Array, jax.Array, jax.Array], jax.Array]:
    """A scatter of single elements by a region.

    Returns:
        A function of what the region captures, an array of one axis, the places of updates in it (those
        below zero are none), and the updates.
    """
    known, body = _known(block), scope.body(block)
    numbers = lax.ScatterDimensionNumbers((), (0,), (0,))

    def scatter(captured: Arrays, array: jax.Array, places: jax.Array, updates: jax.Array) -> jax.Array:
        columns = lax.expand_dims(places, (1,))
        if known is not None:
            return known(array, columns, updates, numbers, mode=lax.GatherScatterMode.FILL_OR_DROP)
        windows = _Updates(columns, [lax.expand_dims(updates, (1,))])
        return _one_by_one(body, captured, [array], windows)[0]

    return scatter


def _fit(array: jax.Array, updates: _Updates) -> jax.Array:
    """Which windows lie within the array."""
    room = np.subtract(array.shape, updates.windows[0].shape[1:])
    starts = updates.starts.astype(jnp.int64)
    return jnp.all((starts >= 0) & (starts <= room), axis=-1)


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.scatter": _scatter}
