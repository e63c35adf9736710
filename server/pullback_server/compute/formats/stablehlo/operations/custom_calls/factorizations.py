"""Factorisations of matrices, under the names of LAPACK, cuSOLVER, hipSOLVER and TPUs: Cholesky, LU, QR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.libraries import lapack, solvers
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import (
    BuildCall,
    Call,
    failures,
)


def is_lower(call: Call) -> bool:
    """Which triangle of a symmetric matrix is read."""
    if "lower" in call.configuration:
        return bool(call.setting("lower"))
    return call.letter("uplo") == "L"


def adjoint(matrix: jax.Array) -> jax.Array:
    """The conjugate transpose."""
    return jnp.conj(jnp.swapaxes(matrix, -1, -2))


def _potrf(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    lower = is_lower(call)

    def emit(operands: Arrays) -> Arrays:
        matrix = operands[0] if lower else adjoint(operands[0])
        # Not the public function, which takes the triangle that the program takes itself.
        factor = primitives.cholesky_p.bind(matrix)
        return [factor if lower else adjoint(factor), failures(jnp.tril(factor), 2)]

    return emit


def _getrf(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()

    def emit(operands: Arrays) -> Arrays:
        factors, pivots, _ = lax.linalg.lu(operands[0])
        # LAPACK counts from one.
        return [factors, pivots + 1, _first_zero(jnp.diagonal(factors, axis1=-2, axis2=-1))]

    return emit


def _first_zero(diagonal: jax.Array) -> jax.Array:
    """The place, counted from one, of the first zero on a diagonal; 0 if there is none."""
    if diagonal.shape[-1] == 0:
        return jnp.zeros(diagonal.shape[:-1], jnp.int32)
    zeros = diagonal == 0
    place = jnp.argmax(zeros, -1).astype(jnp.int32) + 1
    return jnp.where(zeros.any(-1), place, 0)


def _lu_decomposition(call: Call) -> Emit:
    call.require_operands(2)
    return lambda operands: list(lax.linalg.lu(operands[0]))


def _pivots_to_permutation(call: Call) -> Emit:
    call.require_operands(1)
    size = call.results[0].shape[-1]

    def emit(operands: Arrays) -> Arrays:
        (pivots,) = operands
        places = lax.broadcasted_iota(pivots.dtype, pivots.shape, pivots.ndim - 1)
        # GPUs leave rows where they are whose pivots point to none.
        inside = (pivots >= 0) & (pivots < size)
        return [lax.linalg.lu_pivots_to_permutation(jnp.where(inside, pivots, places), size)]

    return emit


def _geqrf(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    return _qr(call)


def _qr(call: Call) -> Emit:
    call.require_operands(2)

    def emit(operands: Arrays) -> Arrays:
        transposed, scales = jnp.linalg.qr(operands[0], mode="raw")
        return [jnp.swapaxes(transposed, -1, -2), scales]

    return emit


def _orgqr(call: Call) -> Emit:
    call.require_layout()
    return _householder_product(call)


def _householder_product(call: Call) -> Emit:
    call.require_operands(2, 1)
    return lambda operands: [lax.linalg.householder_product(operands[0], operands[1])]


def _ormqr(call: Call) -> Emit:
    call.require_operands(2, 1, 2)
    call.require_layout()
    left, transpose = bool(call.setting("left")), bool(call.setting("transpose"))
    return lambda operands: [lax.linalg.ormqr(*operands, left=left, transpose=transpose)]


BUILDERS: Final[Mapping[str, BuildCall]] = {
    **dict.fromkeys((*lapack("potrf"), *solvers("potrf")), _potrf),
    **dict.fromkeys((*lapack("getrf"), *solvers("getrf")), _getrf),
    **dict.fromkeys((*lapack("geqrf"), *solvers("geqrf")), _geqrf),
    **dict.fromkeys((*lapack("orgqr", "ungqr"), *solvers("orgqr")), _orgqr),
    **dict.fromkeys((*lapack("ormqr", "unmqr"), *solvers("ormqr")), _ormqr),
    **dict.fromkeys(
        (f"{device}_lu_pivots_to_permutation" for device in ("cu", "hip", "oneapi")), _pivots_to_permutation
    ),
    "LuDecomposition": _lu_decomposition,
    "Qr": _qr,
    "ProductOfElementaryHouseholderReflectors": _householder_product,
}
