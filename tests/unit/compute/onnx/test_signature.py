"""A model's inputs are the arguments, its outputs the result."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from unit.compute.onnx.models import evaluate, model_of

from pullback.program.container import Onnx
from pullback.program.signature import Signature
from pullback.program.trees import Leaf, NamedTupleNode
from pullback_server.compute.formats.onnx.lift import onnx_signature
from pullback_server.errors import ServiceError

node = helper.make_node


def spelled(signature: Signature) -> tuple[list[str], list[str]]:
    """Arguments and results as text."""
    assert signature.result is not None
    arguments = [f"{argument.name}:{argument.leaves[0]}" for argument in signature.arguments]
    return arguments, list(map(str, signature.result.leaves))


def signature_of(*arguments: object, **options: object) -> Signature:
    """The signature of a model."""
    return onnx_signature(Onnx(model_of(*arguments, **options).SerializeToString()))  # type: ignore[arg-type]


def test_names_become_names_of_arguments() -> None:
    """What is no name is changed, and no two names become one."""
    inputs = {"input.1": (2,), "input/1": (2,), "0": (2,), "lambda": (2,), "_": (2,)}
    signature = signature_of([node("Sum", [*inputs], ["y"])], inputs, {"y": 1})
    assert [argument.name for argument in signature.arguments] == [
        "input_1",
        "input_1_",
        "x0",
        "xlambda",
        "x4",
    ]


def test_initializers_are_no_arguments() -> None:
    """An initializer that is named among the inputs, as old models do, stays a constant."""
    model = model_of([node("Add", ["x", "w"], ["y"])], {"x": (2, 3), "w": (3,)}, {"y": 2}, {"w": np.ones(3)})
    assert spelled(onnx_signature(Onnx(model.SerializeToString()))) == (["x:f64[2,3]"], ["f64[2,3]"])
    np.testing.assert_array_equal(evaluate(model, np.zeros((2, 3)))[0], np.ones((2, 3)))


def test_one_output_and_several() -> None:
    """One output is one array; several are a named tuple in the model's order."""
    single = signature_of([node("Relu", ["x"], ["y"])], {"x": ()}, {"y": 0})
    assert single.result is not None
    assert isinstance(single.result.tree, Leaf)
    nodes = [node("TopK", ["x", "k"], ["values", "in.dices"], axis=0)]
    several = signature_of(nodes, {"x": (5, 2)}, {"values": 2, "in.dices": 2}, {"k": np.array([3])})
    assert several.result is not None
    assert several.result.tree == NamedTupleNode("Outputs", ("values", "in_dices"), (Leaf(), Leaf()))
    assert list(map(str, several.result.leaves)) == ["f64[3,2]", "i64[3,2]"]


def test_symbols() -> None:
    """Sizes with a name become symbols, those without get one, and the result's sizes follow."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Slice", ["s", "one", "two"], ["n"]),
        node("Concat", ["minus", "n"], ["shape"], axis=0),
        node("Reshape", ["x", "shape"], ["r"]),
        node("Pad", ["r", "pads"], ["p"]),
        node("Concat", ["p", "p"], ["y"], axis=0),
    ]
    constants = {
        "one": np.array([1]),
        "two": np.array([2]),
        "minus": np.array([-1]),
        "pads": np.array([1, 0, 0, 0]),
    }
    found = spelled(signature_of(nodes, {"x": ("batch size", "N", 3)}, {"y": 2}, constants))
    assert found == (["x:f64[batch_size,N,3]"], ["f64[6*batch_size+2,N]"])
    unnamed = model_of([node("Relu", ["x"], ["y"])], {"x": (None, 2)}, {"y": 2})  # type: ignore[dict-item]
    assert spelled(onnx_signature(Onnx(unnamed.SerializeToString()))) == (["x:f64[x_0,2]"], ["f64[x_0,2]"])


def test_sizes_that_are_no_lines() -> None:
    """A size of the result that is no linear expression is refused."""
    nodes = [node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2])]
    with pytest.raises(ServiceError, match="no linear expressions"):
        signature_of(nodes, {"x": (1, 1, "N")}, {"y": 3})


def test_sequences_are_no_arguments_and_no_results() -> None:
    """Only arrays go in and come out."""
    model = model_of([node("SplitToSequence", ["x"], ["y"])], {"x": (4,)}, {})
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.DOUBLE, [1]))
    model.graph.output.append(helper.make_value_info("y", kind))
    with pytest.raises(ServiceError, match="output 'y' is a sequence, not an array"):
        onnx_signature(Onnx(model.SerializeToString()))
