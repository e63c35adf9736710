"""Solutions of triangular and tridiagonal systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.libraries import lapack
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import (
    BuildCall,
    Call,
    failures,
    undefined,
)


def _trsm(call: Call) -> Emit:
    call.require_operands(2, 2)
    call.require_layout()
    transposition = call.letter("trans_x")
    flags = {
        "left_side": call.letter("side") == "L",
        "lower": call.letter("uplo") == "L",
        "transpose_a": transposition in "TC",
        "conjugate_a": transposition == "C",
        "unit_diagonal": call.letter("diag") == "U",
    }
    return lambda operands: [lax.linalg.triangular_solve(operands[0], operands[1], **flags)]


def _gtsv(call: Call) -> Emit:
    call.require_operands(1, 1, 1, 2)
    call.require_layout()

    def emit(operands: Arrays) -> Arrays:
        solution = lax.linalg.tridiagonal_solve(*operands)
        return [*map(undefined, call.results[:3]), solution, failures(solution, 2)]

    return emit


def _gtsv2(call: Call) -> Emit:
    call.require_operands(1, 1, 1, 2)
    call.require_layout()
    return lambda operands: [lax.linalg.tridiagonal_solve(*operands)]


def _perturbed(call: Call) -> Emit:
    call.require_operands(1, 1, 1, 2)
    call.require_layout()
    return lambda operands: [lax.linalg.tridiagonal_solve(*operands, perturb_singular=True)]


BUILDERS: Final[Mapping[str, BuildCall]] = {
    **dict.fromkeys(lapack("trsm"), _trsm),
    **dict.fromkeys(lapack("gtsv"), _gtsv),
    **dict.fromkeys(("cusparse_gtsv2_ffi", "hipsparse_gtsv2_ffi"), _gtsv2),
    **dict.fromkeys(
        (
            "tridiagonal_solve_perturbed_ffi",
            "cu_tridiagonal_solve_perturbed",
            "hip_tridiagonal_solve_perturbed",
        ),
        _perturbed,
    ),
}
