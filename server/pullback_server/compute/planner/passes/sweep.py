"""Goes through many directions, as many at a time as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax

X = TypeVar("X")
Y = TypeVar("Y")


def sweep(one: Callable[[X], Y], directions: X, count: int, chunk: int) -> Y:
    """What `one` gives for each direction, stacked on the first axis.

    Args:
        one: Takes one direction.
        directions: All directions, or numbers that stand for them, on the first axis of each leaf.
        count: How many there are.
        chunk: How many are taken at a time; all of them is jax.vmap, fewer a loop.
    """
    if chunk >= count:
        return jax.vmap(one)(directions)
    return jax.lax.map(one, directions, batch_size=chunk)  # type: ignore[no-any-return]
