"""ONNX models as what a user registers; the package onnx is not needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pullback import __version__
from pullback.errors import invalid_argument
from pullback.program import container
from pullback.program.container import Producer, Program
from pullback.program.signature import Signature


class Onnx:
    """A function as an ONNX model (docs/onnx.md).

    The server reads the signature from the model: an array for each input of the graph that is no
    initializer, under its name, and as result an array or a named tuple of the graph's outputs. Sizes that
    the model leaves open become symbols, so that one registration serves every size.

    Args:
        model: A serialized `onnx.ModelProto`, the path of a file with one, or an `onnx.ModelProto`. Its data
            must be inside, not in files beside it.

    Raises:
        InvalidArgumentError: If `model` is none of these.
        OSError: If the file cannot be read.
    """

    __slots__ = ("program",)

    def __init__(self, model: str | bytes | Path | Any) -> None:
        producer = Producer("pullback-python", __version__)
        self.program = Program(container.Onnx(_bytes(model)), Signature(()), producer)


def is_model(value: object) -> bool:
    """Whether a value is an `onnx.ModelProto`; the package is not imported to see it."""
    kind = type(value)
    return kind.__name__ == "ModelProto" and kind.__module__.partition(".")[0] == "onnx"


def _bytes(model: Any) -> bytes:
    if isinstance(model, str | Path):
        return Path(model).expanduser().read_bytes()
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model)
    if is_model(model):
        return bytes(model.SerializeToString())
    raise invalid_argument(
        "MALFORMED_REQUEST",
        f"a {type(model).__name__} was given; pass an onnx.ModelProto, its bytes or its path",
    )
