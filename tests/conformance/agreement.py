"""Whether what was computed is what was expected, leaf by leaf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ULPS = 200


def disagreement(actual: Sequence[Any], expected: Sequence[Any], ulps: float = _ULPS) -> str:
    """How leaves differ, as text; empty where they are equal, or equal but for rounding.

    Args:
        actual: What was computed.
        expected: What should have been.
        ulps: The error that rounding explains, in units of the last place of the greatest element.
    """
    if len(actual) != len(expected):
        return f"{len(actual)} leaves, where {len(expected)} belong"
    found = (
        _difference(np.asarray(_data(one)), np.asarray(_data(other)), ulps)
        for one, other in zip(actual, expected, strict=True)
    )
    return next(filter(None, found), "")


def bit_equal(actual: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether leaves are the same bytes."""
    pairs = zip(actual, expected, strict=True)
    return all(np.asarray(_data(one)).tobytes() == np.asarray(_data(other)).tobytes() for one, other in pairs)


def _difference(actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], ulps: float) -> str:
    if (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
        return f"{actual.dtype}{actual.shape}, where {expected.dtype}{expected.shape} belongs"
    if actual.tobytes() == expected.tobytes():
        return ""
    if not jnp.issubdtype(expected.dtype, jnp.inexact):
        return f"{np.sum(actual != expected)} of {expected.size} elements differ"
    epsilon = float(jnp.finfo(expected.dtype).eps)
    wide = np.complex128 if np.iscomplexobj(expected) else np.float64
    one, other = actual.astype(wide), expected.astype(wide)
    finite = np.isfinite(other)
    scale = np.max(np.abs(other[finite]), initial=0.0)
    if np.allclose(one, other, rtol=ulps * epsilon, atol=ulps * epsilon * scale, equal_nan=True):
        return ""
    both = finite & np.isfinite(one)
    worst = np.max(np.abs(one[both] - other[both]), initial=0.0)
    return f"off by {worst:.3g} of {scale:.3g}; {np.sum(both)} of {expected.size} are finite in both"


def _data(leaf: Any) -> Any:
    keys = isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if keys else leaf
