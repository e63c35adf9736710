"""The workload, with what it should give, by hand: every answer of every contestant is held against it.

The light one is the gradient of the Rosenbrock function in 8 dimensions: transport is all that it costs. The
heavy one is the Hessian of a sum of log cosh of 1,000 projections in 200 dimensions: computing is all that it
costs. All is float64. It knows numpy alone, since it runs in every contestant's environment.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 8
BATCH = 10_000
LARGE = 500_000
FORMULA = "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)"
HEAVY_DIMENSIONS = 200
HEAVY_TERMS = 1_000
HEAVY_BATCH = 256
_TOLERANCE = 1e-9

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


@cache
def projections() -> Floats:
    """The rows that the heavy function projects on: f64[1000, 200], always the same."""
    rows: Floats = np.random.default_rng(11).normal(size=(HEAVY_TERMS, HEAVY_DIMENSIONS))
    return rows / np.sqrt(HEAVY_DIMENSIONS)


def heavy_points(count: int) -> Floats:
    """f64[count, 200], always the same."""
    return np.random.default_rng(13).normal(size=(count, HEAVY_DIMENSIONS))


def heavy_hessian(x: Floats) -> Floats:
    """The Hessian of the heavy function by hand: f64[200] to f64[200, 200]."""
    rows = projections()
    curvature: Floats = 1.0 / np.cosh(rows @ x) ** 2
    return (rows * curvature[:, None]).T @ rows


def check(answer: Floats, x: Floats) -> None:
    """Compares a gradient with the one by hand.

    Raises:
        ValueError: If it is another.
    """
    _compare(answer, gradient(x))


def check_hessians(answer: Floats, x: Floats) -> None:
    """Compares the first and the last Hessian of a batch with those by hand: f64[n, 200, 200], f64[n, 200].

    Raises:
        ValueError: If one is another.
    """
    for index in (0, -1):
        _compare(answer[index], heavy_hessian(x[index]))


def _compare(answer: Floats, expected: Floats) -> None:
    if np.shape(answer) != expected.shape:
        raise ValueError(f"the answer's shape is {np.shape(answer)} instead of {expected.shape}")
    error = float(np.max(np.abs(answer - expected) / (1.0 + np.abs(expected)), initial=0.0))
    if not error < _TOLERANCE:
        raise ValueError(f"the answer is wrong, by {error:g} relative to one plus what it should be")
