"""The directions in which a Jacobian is taken, and how its leaves are cut from what comes out.

The same operations as inside jax.jacrev and jax.jacfwd, so that the numbers are the same; JAX offers
them only together with a primal of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Leaves = tuple[jax.Array, ...]


def rows(pullback: Callable[[Leaves], Leaves], outputs: Leaves) -> Leaves:
    """The Jacobian in reverse mode, as jax.jacrev gives it.

    Args:
        pullback: Takes cotangents of the outputs and gives those of the inputs.
        outputs: The outputs, of any shapes.

    Returns:
        A leaf for each pair of an output and an input, inputs fastest, of shape output + input.
    """
    if not outputs:
        return ()
    stacked = jax.vmap(pullback)(standard_basis(outputs))
    cut = [jnp.split(leaf, _bounds(outputs)) for leaf in stacked]
    return tuple(
        column[i].reshape(output.shape + leaf.shape[1:])
        for i, output in enumerate(outputs)
        for leaf, column in zip(stacked, cut, strict=True)
    )


def columns(stacked: Sequence[jax.Array], inputs: Leaves) -> Leaves:
    """The Jacobian in forward mode, as jax.jacfwd gives it.

    Args:
        stacked: For each output its changes along the standard basis of the inputs, stacked on the last axis.
        inputs: The inputs, of any shapes.

    Returns:
        A leaf for each pair of an output and an input, inputs fastest, of shape output + input.
    """
    return tuple(
        part.reshape(leaf.shape[:-1] + source.shape)
        for leaf in stacked
        for part, source in zip(jnp.split(leaf, _bounds(inputs), axis=-1), inputs, strict=True)
    )


def standard_basis(leaves: Leaves) -> Leaves:
    """Every unit vector of the space of `leaves`.

    Returns:
        For each leaf an array of shape (dimensions of the space, *leaf.shape).
    """
    dimensions = _dimensions(leaves)
    flat = jnp.eye(dimensions, dtype=jnp.result_type(*leaves))
    parts = jnp.split(flat, _bounds(leaves), axis=1)
    return tuple(
        _cast(part, leaf).reshape((dimensions, *leaf.shape)) for part, leaf in zip(parts, leaves, strict=True)
    )


def _cast(part: jax.Array, leaf: jax.Array) -> jax.Array:
    return (part if jnp.iscomplexobj(leaf) else part.real).astype(leaf.dtype)


def _dimensions(leaves: Leaves) -> int:
    return sum(math.prod(leaf.shape) for leaf in leaves)


def _bounds(leaves: Leaves) -> list[int]:
    ends = [_dimensions(leaves[: i + 1]) for i in range(len(leaves))]
    return ends[:-1]
