"""What the names in a graph stand for.

A `Fixed` array is known while the model is read: shapes and axes must be. Other arrays depend on
arguments, or are large, and are known to the device alone.
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np

Fixed: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Array: TypeAlias = jax.Array | Fixed
Value: TypeAlias = Array | tuple[Any, ...] | None
"""An array, a sequence of arrays, or an optional value that is not there."""


def is_fixed(value: Value) -> TypeGuard[Fixed]:
    """Whether the value is an array that is known already."""
    return isinstance(value, np.ndarray)


def is_array(value: Value) -> TypeGuard[Array]:
    """Whether the value is one array."""
    return isinstance(value, np.ndarray | jax.Array)


def as_jax(value: Array) -> jax.Array:
    """The array for JAX, of the same element type."""
    return jnp.asarray(value)


def elements(value: Value) -> int:
    """How many elements the arrays of a value have together."""
    if isinstance(value, tuple):
        return sum(map(elements, value))
    return 0 if value is None else int(value.size)
