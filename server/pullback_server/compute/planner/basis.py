"""Unit vectors, and how the leaves of a Jacobian are cut from what they give.

Leaves are taken together as one space: their elements, ravelled, one leaf after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

Leaves = tuple[jax.Array, ...]


def unit(index: jax.Array, leaves: Leaves) -> Leaves:
    """The unit vector of a number in the space of `leaves`, with their shapes and dtypes."""
    return _parts(jnp.arange(_dimensions(leaves)) == index, leaves)


def seed(color: jax.Array, colors: np.ndarray[tuple[int], np.dtype[np.int32]], leaves: Leaves) -> Leaves:
    """The sum of the unit vectors that have a colour."""
    return _parts(jnp.asarray(colors) == color, leaves)


def ravelled(leaves: Sequence[jax.Array]) -> jax.Array:
    """The elements of all leaves in one array, in their common dtype."""
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def rows(stacked: Sequence[jax.Array], outputs: Leaves) -> Leaves:
    """The Jacobian in reverse mode.

    Args:
        stacked: For each input its cotangents along the unit vectors of the outputs, on a first axis.
        outputs: The outputs, of any shapes.

    Returns:
        A leaf for each pair of an output and an input, inputs fastest, of shape output + input.
    """
    cut = [jnp.split(leaf, _bounds(outputs)) for leaf in stacked]
    return tuple(
        column[i].reshape(output.shape + leaf.shape[1:])
        for i, output in enumerate(outputs)
        for leaf, column in zip(stacked, cut, strict=True)
    )


def columns(stacked: Sequence[jax.Array], inputs: Leaves) -> Leaves:
    """The Jacobian in forward mode.

    Args:
        stacked: For each output its changes along the unit vectors of the inputs, on a last axis.
        inputs: The inputs, of any shapes.

    Returns:
        A leaf for each pair of an output and an input, inputs fastest, of shape output + input.
    """
    return tuple(
        part.reshape(leaf.shape[:-1] + source.shape)
        for leaf in stacked
        for part, source in zip(jnp.split(leaf, _bounds(inputs), axis=-1), inputs, strict=True)
    )


def _parts(chosen: jax.Array, leaves: Leaves) -> Leaves:
    """One where elements of the space are chosen, zero elsewhere."""
    parts = jnp.split(chosen, _bounds(leaves))
    return tuple(
        part.astype(leaf.dtype).reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)
    )


def _dimensions(leaves: Leaves) -> int:
    return sum(math.prod(leaf.shape) for leaf in leaves)


def _bounds(leaves: Leaves) -> list[int]:
    ends = [_dimensions(leaves[: i + 1]) for i in range(len(leaves))]
    return ends[:-1]
