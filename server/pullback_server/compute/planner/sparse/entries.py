"""The entries of sparse derivatives, and diagonals, from what directions give."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.sparse.coloring import Coloring
from pullback_server.compute.planner.sparse.library import asdex


def entries(compressed: jax.Array, coloring: Coloring, elements: Sequence[jnp.dtype]) -> Leaves:
    """The entries of each block of a pattern.

    Args:
        compressed: What each colour gives, ravelled, colours on the first axis.
        coloring: The pattern.
        elements: The dtype of each block.
    """
    values = asdex().decompress_data(compressed, coloring.pattern)
    return tuple(
        values[jnp.asarray(block.entries)].astype(element)
        for block, element in zip(coloring.blocks, elements, strict=True)
    )


def own_entry(leaves: Leaves, index: jax.Array, inputs: Leaves) -> Leaves:
    """Of the change of a first derivative along a unit vector, the entry of that same direction.

    Args:
        leaves: A leaf for each pair of an output and an input, inputs fastest, of shape output + input.
        index: The number of the unit vector in the space of the inputs.
        inputs: The inputs.

    Returns:
        A leaf for each output.
    """
    per_output = [leaves[i : i + len(inputs)] for i in range(0, len(leaves), len(inputs))]
    return tuple(_entry(row, index, inputs) for row in per_output)


def _entry(row: Leaves, index: jax.Array, inputs: Leaves) -> jax.Array:
    pairs = zip(row, inputs, strict=True)
    flat = [leaf.reshape(*leaf.shape[: leaf.ndim - given.ndim], given.size) for leaf, given in pairs]
    entry: jax.Array = jax.lax.dynamic_index_in_dim(jnp.concatenate(flat, -1), index, -1, keepdims=False)
    return entry
