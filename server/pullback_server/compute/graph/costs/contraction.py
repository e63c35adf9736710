"""Products and sums: dot_general and convolution, two operations for each product."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs.operands import is_complex, is_inexact, shape_in, size_in, size_out


def _products(equation: core.JaxprEqn, each: int) -> Cost:
    if not is_inexact(equation):
        return Cost()
    return Cost(flops=size_out(equation) * each * (8 if is_complex(equation) else 2))


def _dot_general(equation: core.JaxprEqn) -> Cost:
    """2 m n k for a product of an m x k and a k x n matrix, for each matrix of a batch."""
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = shape_in(equation)
    return _products(equation, math.prod(shape[axis] for axis in contracted))


def _convolution(equation: core.JaxprEqn) -> Cost:
    """For each element of the result a product with each element of its kernel, padding included."""
    features = shape_in(equation, 1)[equation.params["dimension_numbers"].rhs_spec[0]]
    return _products(equation, size_in(equation, 1) // features if features else 0)


RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = {
    "dot_general": _dot_general,
    "conv_general_dilated": _convolution,
}
