"""Reads a program of any format. Knows which formats there are, and nothing of their insides."""

from __future__ import annotations

from typing import assert_never

from pullback.program.container import Formula, Program, StableHlo
from pullback_server.compute.formats.formula.lift import lift as lift_formula
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.formats.stablehlo.lift import lift as lift_stablehlo


def read(program: Program) -> Lifted:
    """Reads a program into callables that JAX can trace.

    Raises:
        ServiceError: MALFORMED_PROGRAM, FORMULA_ERROR or UNSUPPORTED_OPERATION, by the format.
    """
    match program.body:
        case StableHlo():
            return lift_stablehlo(program.body, program.signature)
        case Formula():
            return Lifted.alike(lift_formula(program.body, program.signature))
        case _:
            assert_never(program.body)
