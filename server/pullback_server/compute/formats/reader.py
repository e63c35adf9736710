"""Reads a program of any format. Knows which formats there are, and nothing of their insides."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import replace
from typing import Any, assert_never

from pullback.program.container import Formula, JaxExport, Onnx, Program, StableHlo, StableHloModule
from pullback_server.compute.formats.formula.lift import lift as lift_formula
from pullback_server.compute.formats.jax_export.lift import lift_artifact
from pullback_server.compute.formats.jax_export.signature import artifact_signature
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.formats.stablehlo.foreign import lift_module, module_signature
from pullback_server.compute.formats.stablehlo.lift import lift as lift_stablehlo
from pullback_server.errors import Reason, service_error


def says_signature(program: Program) -> bool:
    """Whether the signature stands in the program's body, and is read from there."""
    return isinstance(program.body, StableHloModule | JaxExport | Onnx)


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
        case Onnx():
            return replace(program, signature=_onnx().onnx_signature(program.body))
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
            return lift_stablehlo(program.body, program.signature, program.max_trips)
        case Formula():
            return Lifted.alike(lift_formula(program.body, program.signature))
        case StableHloModule():
            return lift_module(program.body, program.signature, program.max_trips)
        case JaxExport():
            return lift_artifact(program.body, program.signature, program.max_trips)
        case Onnx():
            return Lifted.alike(_onnx().lift(program.body))
        case _:
            assert_never(program.body)


def _onnx() -> Any:
    """The ONNX format, loaded when a model comes: its package is an extra.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if the package is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        raise service_error(
            Reason.UNSUPPORTED_OPERATION,
            "this server reads no ONNX models, since the package onnx is not installed there; "
            "install it with pip install 'pullback[onnx]'",
            operation="onnx",
        )
    return importlib.import_module("pullback_server.compute.formats.onnx.lift")
