"""JAX in the process of the caller: nothing between the caller and the computation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driving.loops import Call, Maker
from functions import gradient_of, hessians
from workload import Floats


def ways(_: str) -> Mapping[str, Maker]:
    """How local JAX can be called."""
    return {
        "one": lambda _: _gradient,
        "batch": lambda _: _gradient,
        "batch copied": lambda _: _copied(),
        "hessian": lambda _: lambda x: np.asarray(hessians(x)),
    }


def _gradient(x: Floats) -> Floats:
    return np.asarray(gradient_of(x))


def _copied() -> Call:
    """One copy of the arguments, and one of the results: the least that memory of another costs."""
    return lambda x: np.array(gradient_of(x.copy()), copy=True)
