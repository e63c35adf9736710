"""ONNX models as sources of a registration, and PyTorch modules where PyTorch is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import pullback
from pullback._sources.program import to_program
from pullback._sources.torch import is_module
from pullback.cli.loading import load_program
from pullback.errors import InvalidArgumentError
from pullback.program import container
from pullback.program.digest import digest
from pullback.program.wire import program_from_bytes, program_to_bytes

_MODEL = helper.make_model(
    helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
    )
)


def test_path_bytes_and_message_are_one_program(tmp_path: Path) -> None:
    """However a model is given, it is the same program, with a signature that the server fills in."""
    data = _MODEL.SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    sources = [
        pullback.Onnx(path),
        pullback.Onnx(str(path)),
        pullback.Onnx(data),
        _MODEL,
        load_program(path, ()),
    ]
    programs = [to_program(source, ()) for source in sources]
    assert {digest(program) for program in programs} == {digest(programs[0])}
    assert programs[0].body == container.Onnx(data)
    assert programs[0].format == "onnx"
    assert programs[0].signature.arguments == ()


def test_round_trip() -> None:
    """A model comes back from its message, and its digest follows from its bytes alone."""
    program = pullback.Onnx(b"model").program
    assert program_from_bytes(program_to_bytes(program)) == program
    assert digest(program) != digest(pullback.Onnx(b"other").program)


def test_what_is_no_model() -> None:
    """Anything else is refused with a word, and so are examples."""
    with pytest.raises(InvalidArgumentError, match=r"a ndarray was given; pass an onnx\.ModelProto"):
        pullback.Onnx(np.zeros(3))
    with pytest.raises(InvalidArgumentError, match="example arguments are only for Python functions"):
        to_program(pullback.Onnx(b"model"), (np.zeros(3),))


def test_modules_without_pytorch() -> None:
    """Where a package is missing, it is named with the extra that brings it."""
    assert not is_module(np.sum)
    script = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "torchax" else find("sys")
import pullback
try:
    pullback.Torch(object()).export(())
except pullback.InvalidArgumentError as error:
    assert "torchax" in str(error) and "pullback[torch]" in str(error), error
else:
    raise AssertionError
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
