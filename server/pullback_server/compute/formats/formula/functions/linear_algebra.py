"""Vectors and matrices."""

from __future__ import annotations

import re
from typing import Any, Final

import jax.numpy as jnp

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.functions.entry import (
    A,
    B,
    Function,
    Parameter,
    X,
    binary,
    named,
    option,
    unary,
)
from pullback_server.compute.formats.formula.functions.kinds import ARRAY, INTEGER, TEXT
from pullback_server.compute.formats.formula.limits import MAX_ELEMENTS
from pullback_server.compute.formats.formula.values import Operand, as_array, require_size

_SUBSCRIPTS: Final = re.compile(r"[A-Za-z., ]*(?:->[A-Za-z. ]*)?", re.ASCII)
_LONGEST: Final = 256


def _einsum(subscripts: str, *operands: Operand) -> Any:
    if len(subscripts) > _LONGEST or not _SUBSCRIPTS.fullmatch(subscripts):
        raise FormulaError("the subscripts of einsum are malformed", 'Write them like "ij,j->i".')
    arrays = [as_array(operand) for operand in operands]
    _, path = jnp.einsum_path(subscripts, *arrays)
    require_size((int(path.largest_intermediate),), MAX_ELEMENTS)
    return jnp.einsum(subscripts, *arrays)


def _logdet(x: Operand) -> Any:
    return jnp.linalg.slogdet(as_array(x))[1]


def _slogdet(x: Operand) -> Any:
    sign, logarithm = jnp.linalg.slogdet(as_array(x))
    return sign, logarithm


def _kron(a: Operand, b: Operand) -> Any:
    first, second = as_array(a), as_array(b)
    require_size((first.size, second.size), MAX_ELEMENTS)
    return jnp.kron(first, second)


def _diag(x: Operand, k: int = 0) -> Any:
    array = as_array(x)
    if array.ndim == 1:
        require_size((array.size + abs(k),) * 2, MAX_ELEMENTS)
    return jnp.diag(array, k)


PRODUCTS: Final = (
    binary("dot", jnp.dot, "jnp.dot", "product of vectors or matrices"),
    binary("matmul", jnp.matmul, "jnp.matmul", "a @ b"),
    binary("inner", jnp.inner, "jnp.inner", "sum of products along the last axes"),
    binary("outer", jnp.outer, "jnp.outer", "all products of two vectors"),
    binary("vdot", jnp.vdot, "jnp.vdot", "inner product of all elements, a conjugated"),
    binary("kron", _kron, "jnp.kron", "Kronecker product"),
    binary("cross", jnp.cross, "jnp.cross", "cross product"),
    Function(
        "einsum",
        _einsum,
        (Parameter("subscripts", TEXT), Parameter("x", ARRAY, repeated=True)),
        "jnp.einsum",
        'sum of products by subscripts, as in einsum("ij,j->i", A, x)',
    ),
)
MATRICES: Final = (
    Function(
        "trace",
        jnp.trace,
        (X, named("offset", INTEGER), named("axis1", INTEGER), named("axis2", INTEGER)),
        "jnp.trace",
        "sum of a diagonal",
    ),
    Function(
        "diag", _diag, (X, option("k", INTEGER)), "jnp.diag", "diagonal of a matrix, or matrix of a diagonal"
    ),
    Function("tril", jnp.tril, (X, option("k", INTEGER)), "jnp.tril", "lower triangle"),
    Function("triu", jnp.triu, (X, option("k", INTEGER)), "jnp.triu", "upper triangle"),
    unary("det", jnp.linalg.det, "jnp.linalg.det", "determinant"),
    unary(
        "slogdet", _slogdet, "jnp.linalg.slogdet", "sign of det(x) and log(abs(det(x))), by index [0] and [1]"
    ),
    unary("logdet", _logdet, "jnp.linalg.slogdet(x)[1]", "log(abs(det(x)))"),
    unary("inv", jnp.linalg.inv, "jnp.linalg.inv", "inverse"),
    Function("solve", jnp.linalg.solve, (A, B), "jnp.linalg.solve", "x with a @ x = b"),
    unary("cholesky", jnp.linalg.cholesky, "jnp.linalg.cholesky", "lower Cholesky factor"),
)
