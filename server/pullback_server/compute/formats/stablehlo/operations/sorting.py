"""Sorting, by any comparator.

Where the comparator is understood, JAX's own sort does it. Any other comparator decides the exchanges of
a sorting network, which finds the permutation; the arrays are then gathered by it. Both differentiate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.orderings import Key, recognise
from pullback_server.compute.formats.stablehlo.syntax import Operation

Before = Callable[[Arrays, Arrays], jax.Array]
"""Whether the elements of some arrays come before those of others, element by element."""


def _sort(operation: Operation, scope: Scope) -> Emit:
    (block,) = operation.blocks
    comparator = scope.body(block)
    axis, stable = operation.attributes["dimension"], bool(operation.attributes.get("is_stable", False))
    axis %= len(operation.operand_types[0].shape)
    count = len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        arrays, captured = operands[:count], operands[count:]
        keys = recognise(block, dict(zip(block.captures, captured, strict=True)))
        if keys is None:
            return sort_by(arrays, axis, elementwise(comparator, captured))
        return sort_by_keys(arrays, axis, keys, stable=stable)

    return emit


def sort_by_keys(arrays: Arrays, axis: int, keys: Sequence[Key], *, stable: bool) -> Arrays:
    """Sorts arrays by keys, the most important first."""
    leading = _leading_operands(arrays, keys)
    if leading:
        return list(lax.sort(tuple(arrays), dimension=axis, is_stable=stable, num_keys=leading))
    prepared = [_ascending(lax.stop_gradient(arrays[key.operand]), key) for key in keys]
    out = lax.sort((*prepared, *arrays), dimension=axis, is_stable=stable, num_keys=len(keys))
    return list(out[len(keys) :])


def _leading_operands(arrays: Arrays, keys: Sequence[Key]) -> int:
    """The number of leading arrays whose order in JAX is that of the keys; 0 if it is another order."""
    expected: list[tuple[int, str]] = []
    for operand, array in enumerate(arrays):
        if len(expected) >= len(keys):
            break
        parts = ("real", "imag") if jnp.iscomplexobj(array) else ("",)
        expected += [(operand, part) for part in parts]
    plain = all(not key.descending and (key.canonical or not _total(arrays, key)) for key in keys)
    return len({key.operand for key in keys}) if plain and expected == [_place(key) for key in keys] else 0


def _place(key: Key) -> tuple[int, str]:
    return key.operand, key.part


def _total(arrays: Arrays, key: Key) -> bool:
    return key.total and jnp.issubdtype(arrays[key.operand].dtype, jnp.inexact)


def _ascending(array: jax.Array, key: Key) -> jax.Array:
    """An array whose ascending order in JAX is the order of a key."""
    values = getattr(lax, key.part)(array) if key.part else array
    if not jnp.issubdtype(values.dtype, jnp.floating):
        return lax.bitwise_not(values) if key.descending else values
    if not key.total:
        return lax.neg(values) if key.descending else values
    bits = _total_order(_canonical(values) if key.canonical else values)
    return lax.bitwise_not(bits) if key.descending else bits


def _canonical(values: jax.Array) -> jax.Array:
    unsigned = jnp.where(values == 0, jnp.zeros_like(values), values)
    return jnp.where(jnp.isnan(values), jnp.full_like(values, jnp.nan), unsigned)


def _total_order(values: jax.Array) -> jax.Array:
    """Integers in IEEE 754's total order of floats."""
    integer = jnp.dtype(f"int{8 * values.dtype.itemsize}")
    bits = lax.bitcast_convert_type(values, integer)
    # Below zero the magnitude counts backwards.
    return jnp.where(bits < 0, bits ^ np.iinfo(integer).max, bits)


def elementwise(comparator: Body, captured: Arrays) -> Before:
    """A comparator of scalars, as one of arrays."""

    def scalars(left: Arrays, right: Arrays) -> jax.Array:
        pairs = [element for pair in zip(left, right, strict=True) for element in pair]
        return comparator(captured, pairs)[0]

    def before(left: Arrays, right: Arrays) -> jax.Array:
        shape = left[0].shape
        flat = jax.vmap(scalars)([x.reshape(-1) for x in left], [x.reshape(-1) for x in right])
        return flat.reshape(shape)

    return before


def sort_by(arrays: Arrays, axis: int, before: Before) -> Arrays:
    """Sorts arrays by a comparator, stably.

    Batcher's bitonic network (1968): O(n log(n)^2) comparisons, and a permutation whatever the comparator
    says.

    Args:
        arrays: Arrays of one shape.
        axis: The axis to sort along.
        before: The comparator.
    """
    length = arrays[0].shape[axis]
    if arrays[0].size == 0 or length == 1:
        return list(arrays)
    last = [jnp.moveaxis(array, axis, -1) for array in arrays]
    order = _network(tuple(map(lax.stop_gradient, last)), before)
    return [jnp.moveaxis(jnp.take_along_axis(array, order, -1), -1, axis) for array in last]


def _network(arrays: Arrays, before: Before) -> jax.Array:
    length = arrays[0].shape[-1]
    width = 1 << (length - 1).bit_length()
    places = np.arange(width)
    start = jnp.broadcast_to(jnp.arange(width), (*arrays[0].shape[:-1], width))

    def first(mine: jax.Array, other: jax.Array) -> jax.Array:
        # Places past the end come last; ties stay in order.
        ours, theirs = ([_gather(array, at) for array in arrays] for at in (mine, other))
        forth, back = before(ours, theirs), before(theirs, ours)
        by_place = (forth == back) | (mine >= length) | (other >= length)
        return jnp.where(by_place, mine < other, forth)

    def exchange(order: jax.Array, stage: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        run, distance = stage
        partner = _gather(order, jnp.broadcast_to(places ^ distance, order.shape))
        wants_first = ((places & distance) == 0) == ((places & run) == 0)
        return jnp.where(first(order, partner) == wants_first, order, partner), None

    order, _ = lax.scan(exchange, start, _stages(width))
    return order[..., :length]


def _gather(array: jax.Array, at: jax.Array) -> jax.Array:
    return jnp.take_along_axis(array, jnp.minimum(at, array.shape[-1] - 1), -1)


def _stages(width: int) -> tuple[jax.Array, jax.Array]:
    """The lengths of runs, and the distances of exchanges in them."""
    powers = [1 << power for power in range(width.bit_length())]
    pairs = [(run, distance) for run in powers for distance in reversed(powers) if distance < run]
    return jnp.array([run for run, _ in pairs]), jnp.array([distance for _, distance in pairs])


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.sort": _sort}
