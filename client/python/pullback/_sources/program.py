"""The program of whatever a user registers."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from pullback._sources.formula import Formula
from pullback._sources.lowered import Exported, StableHLO, is_exported, recognized
from pullback._sources.onnx import Onnx, is_model
from pullback._sources.torch import Torch, is_module
from pullback.errors import invalid_argument
from pullback.program.container import Program

Source = Program | Formula | StableHLO | Exported | Onnx | Torch | bytes | Callable[..., Any]
"""What can be registered; also a `jax.export.Exported`, the bytes of one or of StableHLO, an
`onnx.ModelProto` and a `torch.nn.Module`."""


def to_program(source: Source, examples: Sequence[Any]) -> Program:
    """The program of what a user registers; a Python function is traced here, on the user's machine.

    Raises:
        ExportError: If a function cannot be exported.
        InvalidArgumentError: If the source will not do, examples are superfluous, or JAX is missing.
    """
    made = _made_elsewhere(source)
    if made is not None:
        if examples:
            raise invalid_argument(
                "MALFORMED_REQUEST", "example arguments are only for Python functions; a program has its own"
            )
        return made
    if isinstance(source, Torch) or is_module(source):
        return (source if isinstance(source, Torch) else Torch(source)).export(examples)
    if not callable(source):
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"a {type(source).__name__} cannot be registered; pass a function that JAX can trace, a "
            "PyTorch module, a pullback.Formula, StableHLO, Exported or Onnx, or a Program",
        )
    return _export(source, examples)


def _made_elsewhere(source: object) -> Program | None:
    """The program of what need not be traced; None for anything else."""
    if isinstance(source, bytes | bytearray):
        return recognized(bytes(source)).program
    if is_exported(source):
        return Exported(source).program
    if is_model(source):
        return Onnx(source).program
    if isinstance(source, Formula | StableHLO | Exported | Onnx):
        return source.program
    return source if isinstance(source, Program) else None


def _export(function: Callable[..., Any], examples: Sequence[Any]) -> Program:
    if importlib.util.find_spec("jax") is None:
        raise invalid_argument(
            "MALFORMED_REQUEST",
            "registering a Python function needs JAX to trace it; run pip install 'pullback[jax]'",
        )
    exported: Program = importlib.import_module("pullback.export").export(function, *examples)
    return exported
