"""Branches, loops and functions: values, and the derivatives that they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from unit.compute.onnx.models import evaluate, model_of

from pullback.program.container import Onnx
from pullback_server.compute.formats.onnx.lift import lift
from pullback_server.errors import ServiceError

node = helper.make_node
empty = helper.make_empty_tensor_value_info


def graph(nodes: Sequence[onnx.NodeProto], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.GraphProto:
    """A graph inside of a node."""
    return helper.make_graph(nodes, "inner", list(map(empty, inputs)), list(map(empty, outputs)))


def gradient(model: onnx.ModelProto, *arguments: Any) -> Any:
    """The gradient of the sum of the first output."""
    function = lift(Onnx(model.SerializeToString()))
    return jax.grad(lambda *given: function(given)[0].sum())(*arguments)


def squaring(condition: Sequence[onnx.NodeProto]) -> onnx.GraphProto:
    """A loop's body that squares what it carries and collects it; nodes give the condition `goes`."""
    nodes = [node("Mul", ["a", "a"], ["b"]), node("Identity", ["b"], ["row"]), *condition]
    return graph(nodes, ["i", "c", "a"], ["goes", "b", "row"])


def test_branches() -> None:
    """Both branches are compiled, and read what stands around them."""
    left = graph([node("Mul", ["x", "x"], ["u"])], [], ["u"])
    right = graph([node("Neg", ["x"], ["v"])], [], ["v"])
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0),
        node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=left, else_branch=right),
    ]
    model = model_of(nodes, {"x": (2,)}, {"y": 1}, {"zero": np.array(0.0)})
    np.testing.assert_array_equal(gradient(model, np.array([1.0, 3.0])), [2.0, 6.0])
    np.testing.assert_array_equal(gradient(model, np.array([1.0, -3.0])), [-1.0, -1.0])


def test_counted_loop_is_reversed() -> None:
    """A loop of a fixed number of repetitions collects its results, and has reverse mode."""
    body = squaring([node("Identity", ["c"], ["goes"])])
    model = model_of(
        [node("Loop", ["n", "", "x"], ["y", "rows"], body=body)],
        {"x": ()},
        {"y": 0, "rows": 1},
        {"n": np.array(3)},
    )
    value, rows = evaluate(model, np.array(1.1))
    np.testing.assert_allclose(rows, 1.1 ** np.array([2, 4, 8]))
    np.testing.assert_allclose([value, gradient(model, np.array(1.1))], [1.1**8, 8 * 1.1**7])


def test_loop_with_a_condition_and_a_bound_is_reversed() -> None:
    """Where values decide when a loop ends, its bound makes it a scan."""
    nodes = [
        node("Mul", ["a", "a"], ["b"]),
        node("Less", ["b", "limit"], ["goes"]),
    ]
    body = graph(nodes, ["i", "c", "a"], ["goes", "b"])
    model = model_of(
        [node("Loop", ["n", "", "x"], ["y"], body=body)],
        {"x": ()},
        {"y": 0},
        {"n": np.array(10), "limit": np.array(2.0)},
    )
    # 1.2, 1.44, 2.0736: two repetitions.
    value, slope = evaluate(model, np.array(1.2))[0], gradient(model, np.array(1.2))
    np.testing.assert_allclose([value, slope], [1.2**4, 4 * 1.2**3])


def test_loop_whose_shapes_change_is_unrolled() -> None:
    """What grows from one repetition to the next is followed while the model is read."""
    body = graph(
        [node("Concat", ["a", "x"], ["b"], axis=0), node("Identity", ["c"], ["goes"])],
        ["i", "c", "a"],
        ["goes", "b"],
    )
    model = model_of(
        [node("Loop", ["n", "", "x"], ["y"], body=body)], {"x": (2,)}, {"y": 1}, {"n": np.array(3)}
    )
    assert evaluate(model, np.array([1.0, 2.0]))[0].shape == (8,)
    np.testing.assert_array_equal(gradient(model, np.array([1.0, 2.0])), [4.0, 4.0])


def test_what_a_loop_cannot_collect() -> None:
    """Results of an unknown number are refused."""
    body = squaring([node("Less", ["b", "limit"], ["goes"])])
    model = model_of(
        [node("Loop", ["n", "", "x"], ["y", "rows"], body=body)],
        {"x": ()},
        {"y": 0, "rows": 1},
        {"n": np.array(10), "limit": np.array(2.0)},
    )
    with pytest.raises(ServiceError, match="collects results from a number of repetitions that depends"):
        evaluate(model, np.array(1.2))


def test_scan() -> None:
    """A scan runs over an axis, also backwards, and has reverse mode."""
    nodes = [node("Mul", ["a", "row"], ["b"]), node("Identity", ["b"], ["out"])]
    scan = node(
        "Scan",
        ["start", "x"],
        ["last", "y"],
        body=graph(nodes, ["a", "row"], ["b", "out"]),
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_input_directions=[1],
    )
    model = model_of([scan], {"x": (2, 3)}, {"last": 1, "y": 2}, {"start": np.ones(2)})
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    last, rows = evaluate(model, x)
    np.testing.assert_array_equal(last, [6.0, 120.0])
    np.testing.assert_array_equal(rows, [[3.0, 6.0], [6.0, 30.0], [6.0, 120.0]])
    np.testing.assert_array_equal(gradient(model, x), [[6.0, 3.0, 2.0], [30.0, 24.0, 20.0]])


def test_functions_of_a_model() -> None:
    """A function takes attributes, of which some have a value of their own."""
    body = [node("Elu", ["a"], ["b"]), node("Mul", ["b", "a"], ["c"])]
    body[0].attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    function = helper.make_function(
        "own", "bent", ["a"], ["c"], body, [helper.make_opsetid("", 21)], attributes=["slope"]
    )
    model = model_of(
        [node("bent", ["x"], ["y"], domain="own", slope=2.0)], {"x": (2,)}, {"y": 1}, functions=[function]
    )
    x = np.array([-1.0, 2.0])
    np.testing.assert_allclose(evaluate(model, x)[0], [2 * (1 - np.exp(-1.0)), 4.0])


def test_sequences_of_known_length() -> None:
    """Sequences are taken apart and put together while the model is read."""
    nodes = [
        node("SplitToSequence", ["x", "two"], ["s"], axis=0),
        node("SequenceAt", ["s", "last"], ["tail"]),
        node("SequenceInsert", ["s", "tail", "zero"], ["t"]),
        node("ConcatFromSequence", ["t"], ["y"], axis=0),
    ]
    constants = {"two": np.array(2), "last": np.array(-1), "zero": np.array(0)}
    model = model_of(nodes, {"x": (5,)}, {"y": 1}, constants, element=TensorProto.DOUBLE)
    np.testing.assert_array_equal(evaluate(model, np.arange(5.0))[0], [4.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(gradient(model, np.arange(5.0)), [1.0, 1.0, 1.0, 1.0, 2.0])
