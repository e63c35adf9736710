"""StableHLO and artifacts of `jax.export` as what a user registers."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

from pullback import __version__
from pullback.errors import invalid_argument
from pullback.program import container
from pullback.program.container import Body, Producer, Program
from pullback.program.signature import Signature

_MLIR: Final = b"ML\xefR"
_STABLEHLO_VERSION: Final = b"StableHLO_v"
_TEXT_MARKS: Final = (b"func.func", b"stablehlo.", b"module @", b"module {")


class StableHLO:
    """A function as a StableHLO module of any producer: JAX, PyTorch, TensorFlow, Reactant, a text editor.

    The server reads the signature from the module: an array for each argument of the public function
    `main`, and as result an array or a tuple of arrays. Sizes that the module leaves open (`?`) become
    symbols, so that one registration serves every size.

    Args:
        module: The module: text, MLIR bytecode, a portable artifact, or the path of a file with one of these.
        names: The names of the arguments; `arg0`, `arg1` and so on if left out.

    Raises:
        InvalidArgumentError: If `module` is none of these.
        OSError: If the file cannot be read.
    """

    __slots__ = ("program",)

    def __init__(self, module: str | bytes | Path, names: Sequence[str] = ()) -> None:
        data = module.encode() if isinstance(module, str) else _bytes(module, "StableHLO text or bytes")
        self.program = _program(container.StableHloModule(data, tuple(names)))


class Exported:
    """A function as an artifact of `jax.export`, for clients with JAX and without.

    The server reads the signature from the artifact: positional arguments as `arg0`, `arg1` and so on, those
    by keyword under their keywords, each with its structure. Symbolic shapes stay symbolic, so that one
    registration serves every size. Where the artifact carries VJPs, reverse mode uses them.

    Args:
        artifact: A `jax.export.Exported`, the bytes that its `serialize` gives, or the path of a file with
            them.
        names: The names of the positional arguments, if not `arg0`, `arg1` and so on.
        vjp_order: For a `jax.export.Exported`: how many VJPs are serialized with it. None is one, where it
            has any; with 0, its reverse mode is derived from what it computes.

    Raises:
        InvalidArgumentError: If `artifact` is none of these, or if JAX cannot serialize it.
        OSError: If the file cannot be read.
    """

    __slots__ = ("program",)

    def __init__(self, artifact: Any, names: Sequence[str] = (), *, vjp_order: int | None = None) -> None:
        if is_exported(artifact):
            data = _serialized(artifact, vjp_order)
        else:
            data = _bytes(artifact, "a jax.export.Exported or its bytes")
        self.program = _program(container.JaxExport(data, tuple(names)))


def is_exported(value: object) -> bool:
    """Whether a value is a `jax.export.Exported`; JAX is not imported to see it."""
    kind = type(value)
    return kind.__name__ == "Exported" and kind.__module__.partition(".")[0] == "jax"


def recognized(data: bytes, names: Sequence[str] = ()) -> StableHLO | Exported:
    """What bytes are, by their beginning: StableHLO, or an artifact of `jax.export`.

    Raises:
        InvalidArgumentError: If they are neither.
    """
    if data.startswith(_MLIR):
        return StableHLO(data, names)
    if _STABLEHLO_VERSION in data and _MLIR in data:
        return Exported(data, names)
    if any(mark in data for mark in _TEXT_MARKS):
        return StableHLO(data, names)
    raise invalid_argument(
        "MALFORMED_REQUEST",
        f"{len(data)} bytes are neither StableHLO nor an artifact of jax.export; say what they are, as in "
        "pullback.StableHLO(data)",
    )


def _program(body: Body) -> Program:
    return Program(body, Signature(()), Producer("pullback-python", __version__))


def _bytes(value: Any, expected: str) -> bytes:
    if isinstance(value, Path):
        return value.read_bytes()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise invalid_argument(
        "MALFORMED_REQUEST", f"a {type(value).__name__} was given; pass {expected}, or a pathlib.Path"
    )


def _serialized(exported: Any, vjp_order: int | None) -> bytes:
    order = vjp_order if vjp_order is not None else int(exported.has_vjp())
    try:
        # VJPs are traced only now, and would be without 64-bit types that were there at export.
        with _keeping_wide_types(exported):
            return bytes(exported.serialize(vjp_order=order))
    except Exception as error:
        advice = "; pullback.Exported(..., vjp_order=0) does without its own reverse mode" if order else ""
        raise invalid_argument(
            "MALFORMED_REQUEST", f"jax.export cannot serialize {exported.fun_name}: {error}{advice}"
        ) from error


def _keeping_wide_types(exported: Any) -> AbstractContextManager[object]:
    wide = any(_is_wide(value.dtype) for value in (*exported.in_avals, *exported.out_avals))
    keeping: AbstractContextManager[object] = (
        importlib.import_module("jax").enable_x64(True) if wide else nullcontext()
    )
    return keeping


def _is_wide(dtype: Any) -> bool:
    return (str(dtype).endswith("64") and str(dtype) != "complex64") or str(dtype) == "complex128"
