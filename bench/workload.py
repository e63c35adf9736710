"""The workload: the gradient of the Rosenbrock function in 8 dimensions, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 8
BATCH = 10_000
FORMULA = "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)"

Floats = NDArray[np.float64]


def points(count: int) -> Floats:
    """f64[count, 8], always the same."""
    return np.random.default_rng(7).uniform(-2.0, 2.0, (count, DIMENSIONS))


def gradient(x: Floats) -> Floats:
    """The gradient by hand, to check what a server answers: f64[..., 8] to f64[..., 8]."""
    left, right = x[..., :-1], x[..., 1:]
    result = np.zeros_like(x)
    result[..., :-1] = -400.0 * left * (right - left**2) - 2.0 * (1.0 - left)
    result[..., 1:] += 200.0 * (right - left**2)
    return result
