"""Eigenvalues, singular values, and the reductions that lead there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.libraries import lapack, solvers
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import (
    BuildCall,
    Call,
    failures,
    undefined,
)
from pullback_server.compute.formats.stablehlo.operations.custom_calls.factorizations import (
    adjoint,
    is_lower,
)


def _syevd(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    lower = is_lower(call)
    with_vectors = "mode" not in call.configuration or call.letter("mode") == "V"

    def emit(operands: Arrays) -> Arrays:
        vectors, values = lax.linalg.eigh(operands[0], lower=lower, symmetrize_input=False)
        return [vectors if with_vectors else undefined(call.results[0]), values, failures(values, 1)]

    return emit


def _eigh(call: Call) -> Emit:
    """Of TPUs, whose configuration is `lower,sorted,sweeps,tolerance`."""
    call.require_operands(2)
    text = call.operation.attributes.get("backend_config")
    if not isinstance(text, str) or text.count(",") != 3:  # noqa: PLR2004 -- as above
        raise malformed(call.name, f"has the configuration {text!r}")
    lower, in_order, _, _ = text.split(",")

    def emit(operands: Arrays) -> Arrays:
        return list(
            lax.linalg.eigh(
                operands[0], lower=lower == "1", sort_eigenvalues=in_order == "1", symmetrize_input=False
            )
        )

    return emit


def _geev(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    left, right = (call.letter(f"compute_{side}") == "V" for side in ("left", "right"))
    *_, left_type, right_type, _ = call.results

    def emit(operands: Arrays) -> Arrays:
        eig: Callable[..., list[jax.Array]] = lax.linalg.eig
        out = list(
            eig(
                operands[0],
                compute_left_eigenvectors=left,
                compute_right_eigenvectors=right,
                **_EIGENVECTOR_DERIVATIVES,
            )
        )
        values = out.pop(0)
        return [
            *_parts(values, operands[0]),
            out.pop(0) if left else undefined(left_type),
            out.pop(0) if right else undefined(right_type),
            failures(values, 1),
        ]

    return emit


# What a program was exported with cannot be seen in it; whoever asks for such derivatives opted in.
_EIGENVECTOR_DERIVATIVES: Final[Mapping[str, Any]] = {"enable_eigvec_derivs": True}


def _parts(values: jax.Array, matrix: jax.Array) -> Arrays:
    """Eigenvalues as LAPACK gives them: those of a real matrix as two arrays."""
    return [values] if jnp.iscomplexobj(matrix) else [jnp.real(values), jnp.imag(values)]


def _gees(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    with_vectors = call.letter("mode") == "V"
    if call.letter("sort") != "N":
        raise unsupported(call.name, "sorts eigenvalues by a callback", "sort them in the function itself")

    def emit(operands: Arrays) -> Arrays:
        schur: Callable[..., tuple[jax.Array, ...]] = lax.linalg.schur
        form, *vectors = schur(operands[0], compute_schur_vectors=with_vectors)
        info = failures(form, 2)
        values = _block_eigenvalues(form)
        return [
            form,
            vectors[0] if with_vectors else undefined(call.results[1]),
            *_parts(values, operands[0]),
            jnp.zeros_like(info),
            info,
        ]

    return emit


def _block_eigenvalues(form: jax.Array) -> jax.Array:
    """The eigenvalues of a Schur form, whose blocks of two rows have equal diagonals."""
    diagonal: jax.Array = jnp.diagonal(form, axis1=-2, axis2=-1)
    if jnp.iscomplexobj(form) or form.shape[-1] < 2:  # noqa: PLR2004 -- a block
        return diagonal
    above, below = (jnp.diagonal(form, offset, axis1=-2, axis2=-1) for offset in (1, -1))
    block = below != 0
    imaginary = jnp.sqrt(jnp.where(block, jnp.abs(above), 1)) * jnp.sqrt(jnp.where(block, jnp.abs(below), 1))
    imaginary = jnp.where(block, imaginary, 0)
    edge = [(0, 0)] * (form.ndim - 2)
    return lax.complex(diagonal, jnp.pad(imaginary, [*edge, (0, 1)]) - jnp.pad(imaginary, [*edge, (1, 0)]))


def _gehrd(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    if (call.setting("low"), call.setting("high")) != (1, call.results[0].shape[-1]):
        raise unsupported(
            call.name, "reduces a part of its matrix", "reduce that part as a matrix of its own"
        )

    def emit(operands: Arrays) -> Arrays:
        reduced, scales = lax.linalg.hessenberg(operands[0])
        return [reduced, scales, failures(reduced, 2)]

    return emit


def _sytrd(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    lower = is_lower(call)

    def emit(operands: Arrays) -> Arrays:
        reduced, diagonal, *others = lax.linalg.tridiagonal(operands[0], lower=lower)
        return [reduced, diagonal, *others, failures(diagonal, 1)]

    return emit


def _gesdd(call: Call) -> Emit:
    call.require_operands(2)
    call.require_layout()
    mode = call.letter("mode")
    if mode not in "ASN":
        raise unsupported(call.name, f"with the mode {mode} is not served", "use the mode A, S or N")
    return _singular_values(
        call, with_vectors=mode != "N", full=mode == "A", swapped=False, plain_right=False
    )


def _gesvd(call: Call) -> Emit:
    """With a matrix that is wider than tall in rows, and the results of its transpose."""
    call.require_operands(2)
    swapped = bool(call.configuration.get("transposed", False))
    call.require_layout(column_major=not swapped)
    return _singular_values(
        call,
        with_vectors=bool(call.setting("compute_uv")),
        full=bool(call.setting("full_matrices")),
        swapped=swapped,
        plain_right=False,
    )


def _gesvdj(call: Call) -> Emit:
    """Whose last matrix is V, not its adjoint."""
    call.require_operands(2)
    call.require_layout()
    return _singular_values(
        call,
        with_vectors=bool(call.setting("compute_uv")),
        full=bool(call.setting("full_matrices")),
        swapped=False,
        plain_right=True,
    )


def _singular_values(call: Call, *, with_vectors: bool, full: bool, swapped: bool, plain_right: bool) -> Emit:
    overwritten, _, first, second, _ = call.results

    def emit(operands: Arrays) -> Arrays:
        vectors = [undefined(first), undefined(second)]
        if with_vectors:
            left, values, right = lax.linalg.svd(operands[0], full_matrices=full, compute_uv=True)
            vectors = [left, adjoint(right) if plain_right else right]
            vectors = vectors[::-1] if swapped else vectors
        else:
            values = lax.linalg.svd(operands[0], full_matrices=full, compute_uv=False)
        return [undefined(overwritten), values, *vectors, failures(values, 1)]

    return emit


BUILDERS: Final[Mapping[str, BuildCall]] = {
    **dict.fromkeys((*lapack("syevd", "heevd"), *solvers("syevd")), _syevd),
    **dict.fromkeys(lapack("geev"), _geev),
    **dict.fromkeys(lapack("gees"), _gees),
    **dict.fromkeys(lapack("gehrd"), _gehrd),
    **dict.fromkeys((*lapack("sytrd", "hetrd"), *solvers("sytrd")), _sytrd),
    **dict.fromkeys((*lapack("gesdd"), *lapack("gesvd")), _gesdd),
    **dict.fromkeys((*solvers("gesvd"), *solvers("gesdd")), _gesvd),
    **dict.fromkeys((*solvers("gesvdj"), *solvers("gesvdp")), _gesvdj),
    "Eigh": _eigh,
}
