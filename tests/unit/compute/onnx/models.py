"""Small ONNX models, and what they give here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pullback.program.container import Onnx
from pullback_server.compute.formats.onnx.lift import lift

Array = np.ndarray[Any, np.dtype[Any]]


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, int],
    constants: Mapping[str, Array] | None = None,
    *,
    element: int = TensorProto.DOUBLE,
    opset: int = 21,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model of these nodes; inputs have shapes, outputs ranks, and all are of one element type."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, element, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, element, [None] * rank) for name, rank in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid("own", 1)] if functions else [])]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)


def evaluate(model: onnx.ModelProto, *arguments: Any) -> list[jax.Array]:
    """What a model gives."""
    return lift(Onnx(model.SerializeToString()))([*arguments])
