"""The linear algebra that StableHLO has operations for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.rewriting.recomposition import QR
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _cholesky(operation: Operation, _: Scope) -> Emit:
    lower = bool(operation.attributes.get("lower", False))

    def emit(operands: Arrays) -> Arrays:
        (operand,) = operands
        # Only one triangle is read, which the other is made to agree with.
        half = jnp.tril(operand) if lower else jnp.conj(jnp.swapaxes(jnp.triu(operand), -1, -2))
        strict = jnp.tril(half, -1)
        factor = lax.linalg.cholesky(half + jnp.conj(jnp.swapaxes(strict, -1, -2)), symmetrize_input=False)
        return [factor if lower else jnp.conj(jnp.swapaxes(factor, -1, -2))]

    return emit


def _triangular_solve(operation: Operation, _: Scope) -> Emit:
    attributes = operation.attributes
    transposition = attributes["transpose_a"]

    def emit(operands: Arrays) -> Arrays:
        return [
            lax.linalg.triangular_solve(
                operands[0],
                operands[1],
                left_side=bool(attributes["left_side"]),
                lower=bool(attributes["lower"]),
                transpose_a=transposition in ("TRANSPOSE", "ADJOINT"),
                conjugate_a=transposition == "ADJOINT",
                unit_diagonal=bool(attributes["unit_diagonal"]),
            )
        ]

    return emit


def _qr(operation: Operation, _: Scope) -> Emit:
    """A decomposition that was put together from its pieces: see `recomposition`."""
    full = bool(operation.attributes["full_matrices"])
    wanted = [index for index, side in enumerate(("left", "right")) if operation.attributes[side]]

    def emit(operands: Arrays) -> Arrays:
        factors = lax.linalg.qr(operands[0], full_matrices=full)
        return [factors[index] for index in wanted]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    QR: _qr,
    "stablehlo.cholesky": _cholesky,
    "stablehlo.triangular_solve": _triangular_solve,
}
