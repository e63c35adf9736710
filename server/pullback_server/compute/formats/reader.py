"""Reads a program of any format. Knows which formats there are, and nothing of their insides."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from pullback.program.container import Formula, JaxExport, Program, StableHlo, StableHloModule
from pullback_server.compute.formats.formula.lift import lift as lift_formula
from pullback_server.compute.formats.jax_export.lift import lift_artifact
from pullback_server.compute.formats.jax_export.signature import artifact_signature
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.formats.stablehlo.foreign import lift_module, module_signature
from pullback_server.compute.formats.stablehlo.lift import lift as lift_stablehlo


def says_signature(program: Program) -> bool:
    """Whether the signature stands in the program's body, and is read from there."""
    return isinstance(program.body, StableHloModule | JaxExport)


def with_signature(program: Program) -> Program:
    """A program with the signature that its body says; one whose body says none as it is.

    Raises:
        ServiceError: MALFORMED_PROGRAM or UNSUPPORTED_OPERATION.
    """
    match program.body:
        case StableHloModule():
            return replace(program, signature=module_signature(program.body))
        case JaxExport():
            return replace(program, signature=artifact_signature(program.body))
        case _:
            return program


def read(program: Program) -> Lifted:
    """Reads a program into callables that JAX can trace.

    Args:
        program: The program, with a signature without symbols.

    Raises:
        ServiceError: MALFORMED_PROGRAM, FORMULA_ERROR or UNSUPPORTED_OPERATION, by the format.
    """
    match program.body:
        case StableHlo():
            return lift_stablehlo(program.body, program.signature)
        case Formula():
            return Lifted.alike(lift_formula(program.body, program.signature))
        case StableHloModule():
            return lift_module(program.body, program.signature)
        case JaxExport():
            return lift_artifact(program.body, program.signature)
        case _:
            assert_never(program.body)
