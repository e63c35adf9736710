"""The user's own function from the user's own file, on the user's own machine; or what another tool wrote."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click
import numpy as np

from pullback._sources.lowered import Exported, StableHLO, recognized
from pullback._sources.onnx import Onnx
from pullback.program.tensors import TensorType

_STABLEHLO_ENDINGS: Final = (".mlir", ".mlirbc", ".stablehlo")


def load_function(reference: str) -> Callable[..., Any]:
    """Imports FILE.py and gives its FUNCTION.

    Args:
        reference: `FILE.py:FUNCTION`.

    Raises:
        ClickException: If the reference, the file or the function is not there, or the file fails.
    """
    file, colon, name = reference.rpartition(":")
    if not (colon and file and name.isidentifier()):
        raise click.UsageError(f"{reference!r} is no function; write it like model.py:loss")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise click.ClickException(f"there is no file {path}")
    function = getattr(_import(path), name, None)
    if not callable(function):
        raise click.ClickException(f"{path} has no function {name!r}")
    found: Callable[..., Any] = function
    return found


def examples_of(kinds: Sequence[TensorType]) -> list[Any]:
    """Example arguments of some types; symbols are the same in all of them.

    Raises:
        ClickException: If there are symbols and JAX is not installed, or refuses them.
    """
    if not any(kind.symbols for kind in kinds):
        return [np.zeros(kind.shape, kind.element.dtype) for kind in kinds]
    if importlib.util.find_spec("jax") is None:
        raise click.ClickException("symbolic sizes need JAX; run pip install 'pullback[jax]'")
    jax, export = map(importlib.import_module, ("jax", "jax.export"))
    scope = export.SymbolicScope()
    try:
        shapes = [export.symbolic_shape(", ".join(kind.sizes), scope=scope) for kind in kinds]
    except ValueError as error:
        raise click.ClickException(f"JAX does not take these sizes: {error}") from error
    pairs = zip(shapes, kinds, strict=True)
    return [jax.ShapeDtypeStruct(shape, kind.element.dtype) for shape, kind in pairs]


def load_program(path: Path, argument_names: Sequence[str]) -> StableHLO | Exported | Onnx:
    """Reads a file that another tool wrote: StableHLO and ONNX by its ending, otherwise by what stands in it.

    Args:
        path: The file.
        argument_names: The names of the arguments; none for those that the server gives them.

    Raises:
        InvalidArgumentError: If the file is none of StableHLO, ONNX and an artifact of jax.export.
        ClickException: If it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".onnx":
        if argument_names:
            raise click.BadParameter(f"{path} names its arguments itself", param_hint="--argument-name")
        return Onnx(data)
    if path.suffix in _STABLEHLO_ENDINGS:
        return StableHLO(data, argument_names)
    return recognized(data, argument_names)


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise click.ClickException(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # As when Python runs a file: the modules beside it can be imported.
    sys.path.insert(0, str(path.parent))
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise click.ClickException(f"{path} failed: {type(error).__name__}: {error}") from error
    return module
