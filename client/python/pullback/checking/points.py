"""Where to check: points that are drawn from a signature."""

from __future__ import annotations

from typing import Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.space import Leaves
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType

# Integers are often counts and exponents, and seldom good when they are 0.
_INTEGERS: Final = (1, 4)


def draw(
    signature: Signature, count: int, seed: int, bounds: tuple[float, float] | None = None
) -> tuple[Leaves, ...]:
    """Draws points; the same for the same seed.

    Args:
        signature: The function's, in which every size is known.
        count: How many.
        seed: Any number.
        bounds: Of a uniform distribution; None is the standard normal one. Integers are from 1 to 3.

    Returns:
        For each point the leaves of all arguments.
    """
    rng = np.random.default_rng(seed)
    return tuple(tuple(_draw(leaf, rng, bounds) for leaf in signature.leaves) for _ in range(count))


def _draw(leaf: TensorType, rng: np.random.Generator, bounds: tuple[float, float] | None) -> Array:
    if not leaf.element.differentiable:
        low, high = (0, 2) if leaf.element is ElementType.I1 else _INTEGERS
        return rng.integers(low, high, leaf.shape).astype(leaf.element.dtype)
    real = _reals(leaf.shape, rng, bounds)
    found = real + 1j * _reals(leaf.shape, rng, bounds) if leaf.element.is_complex else real
    return np.asarray(found).astype(leaf.element.dtype)


def _reals(shape: tuple[int, ...], rng: np.random.Generator, bounds: tuple[float, float] | None) -> Array:
    return np.asarray(rng.standard_normal(shape) if bounds is None else rng.uniform(*bounds, shape))
