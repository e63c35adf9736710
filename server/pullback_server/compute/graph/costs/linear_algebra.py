"""Factorizations, solvers and Fourier transforms, by the textbook counts of their usual algorithms.

Source: Golub and Van Loan, Matrix Computations (4th edition), sections 3.2, 4.2, 5.2, 7.4, 7.5, 8.3 and 8.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs.operands import is_complex, shape_in, size_in

Count = Callable[[int, int, Mapping[str, Any]], float]
"""The operations for one matrix of m rows and n columns, by the equation's parameters."""


def _each(count: Count) -> Callable[[core.JaxprEqn], Cost]:
    def cost(equation: core.JaxprEqn) -> Cost:
        *batch, rows, columns = shape_in(equation)
        # A complex multiplication with its addition takes 8 operations, a real one 2.
        weight = 4 if is_complex(equation) else 1
        return Cost(flops=round(math.prod(batch) * count(rows, columns, equation.params)) * weight)

    return cost


def _lu(m: int, n: int, _: Mapping[str, Any]) -> float:
    k = min(m, n)
    return 2 * (m * n * k - (m + n) * k**2 / 2 + k**3 / 3)


def _qr(m: int, n: int, _: Mapping[str, Any]) -> float:
    k = min(m, n)
    return 2 * k**2 * (max(m, n) - k / 3)


def _householder_product(m: int, n: int, _: Mapping[str, Any]) -> float:
    return 2 * n**2 * (m - n / 3)


def _svd(m: int, n: int, parameters: Mapping[str, Any]) -> float:
    m, n = max(m, n), min(m, n)
    if not parameters["compute_uv"]:
        return 4 * m * n**2 - 4 * n**3 / 3
    if parameters["full_matrices"]:
        return 4 * m**2 * n + 8 * m * n**2 + 9 * n**3
    return 14 * m * n**2 + 8 * n**3


def _eig(n: int, _: int, parameters: Mapping[str, Any]) -> float:
    vectors = parameters["compute_left_eigenvectors"] or parameters["compute_right_eigenvectors"]
    return (25 if vectors else 10) * n**3


def _schur(n: int, _: int, parameters: Mapping[str, Any]) -> float:
    return (25 if parameters["compute_schur_vectors"] else 10) * n**3


def _triangular_solve(equation: core.JaxprEqn) -> Cost:
    """n^2 for each right-hand side."""
    columns = shape_in(equation)[-1]
    return Cost(flops=size_in(equation, 1) * columns * (4 if is_complex(equation) else 1))


def _tridiagonal_solve(equation: core.JaxprEqn) -> Cost:
    """The Thomas algorithm: 3 for each pivot, 5 for each element of a right-hand side."""
    weight = 4 if is_complex(equation) else 1
    return Cost(flops=(3 * size_in(equation) + 5 * size_in(equation, 3)) * weight)


def _fft(equation: core.JaxprEqn) -> Cost:
    """5 n log2 n for each transform of n complex numbers, half of it where one side is real."""
    lengths = equation.params["fft_lengths"]
    points = math.prod(lengths)
    batch = math.prod(shape_in(equation)[: len(shape_in(equation)) - len(lengths)])
    halved = 0.5 if "RFFT" in equation.params["fft_type"].name else 1.0
    return Cost(flops=round(batch * halved * 5 * points * math.log2(max(points, 1))))


RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = {
    "cholesky": _each(lambda n, _, __: n**3 / 3),
    "cholesky_update": _each(lambda n, _, __: 4 * n**2),
    "lu": _each(_lu),
    "qr": _each(_qr),
    "geqrf": _each(_qr),
    "geqp3": _each(_qr),
    "householder_product": _each(_householder_product),
    "eigh": _each(lambda n, _, __: 9 * n**3),
    "eig": _each(_eig),
    "svd": _each(_svd),
    "schur": _each(_schur),
    "hessenberg": _each(lambda n, _, __: 10 * n**3 / 3),
    "tridiagonal": _each(lambda n, _, __: 4 * n**3 / 3),
    "triangular_solve": _triangular_solve,
    "tridiagonal_solve": _tridiagonal_solve,
    "fft": _fft,
}
