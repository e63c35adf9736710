"""What is no model, or none that is served, is refused with a word, and opens nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from unit.compute.onnx.models import model_of

from pullback.program.container import Onnx
from pullback_server.compute.formats.bounds import BOUNDS
from pullback_server.compute.formats.onnx.lift import lift, onnx_signature
from pullback_server.errors import Reason, ServiceError

node = helper.make_node


def refused(model: onnx.ModelProto | bytes) -> ServiceError:
    """What is said of a model."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    with pytest.raises(ServiceError) as caught:
        lift(Onnx(data))
    return caught.value


def relu() -> onnx.ModelProto:
    """A model that is served."""
    return model_of([node("Relu", ["x"], ["y"])], {"x": (3,)}, {"y": 1})


@pytest.mark.parametrize("place", ["initializer", "attribute", "branch"])
def test_external_data(place: str, tmp_path: Path) -> None:
    """Data in another file is refused wherever a model names one, and the file stays unread."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 24)
    tensor = numpy_helper.from_array(np.zeros(3), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(secret))
    model = relu()
    constant = node("Constant", [], ["w"])
    constant.attribute.append(helper.make_attribute("value", tensor))
    match place:
        case "initializer":
            model.graph.initializer.append(tensor)
        case "attribute":
            model.graph.node.append(constant)
        case _:
            branch = helper.make_graph([constant], "b", [], [helper.make_empty_tensor_value_info("w")])
            model.graph.node.append(node("If", ["c"], ["w"], then_branch=branch, else_branch=branch))
    error = refused(model)
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert "external data is not served: the array 'w' stands in another file" in str(error)


def test_operators_are_refused_by_name() -> None:
    """The operator stands in the message and in the metadata, wherever in the model it is."""
    branch = helper.make_graph(
        [node("Bernoulli", ["x"], ["y"])], "b", [], [helper.make_empty_tensor_value_info("y")]
    )
    inner = node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    error = refused(model_of([inner], {"x": (3,)}, {"y": 1}))
    assert (error.reason, error.metadata["operation"]) == (Reason.UNSUPPORTED_OPERATION, "Bernoulli")
    assert "is random, and a function is not; make the noise an input" in str(error)
    foreign = node("FusedMatMul", ["x", "x"], ["y"], domain="com.microsoft")
    assert "FusedMatMul of the domain 'com.microsoft' is unknown" in str(
        refused(model_of([foreign], {"x": (3,)}, {"y": 1}))
    )
    assert "Nonsense is unknown" in str(
        refused(model_of([node("Nonsense", ["x"], ["y"])], {"x": (3,)}, {"y": 1}))
    )


def test_operator_sets() -> None:
    """Those before NumPy's broadcasting, and those of the future, are refused with the range."""
    for version in (6, 10_000):
        model = relu()
        model.opset_import[0].version = version
        assert f"operator set {version} is not served: this server reads 7 to" in str(refused(model))


def test_shapes_that_depend_on_values() -> None:
    """A shape that an argument's values decide is refused when the model is registered."""
    model = model_of([node("Reshape", ["x", "s"], ["y"])], {"x": (6,)}, {"y": 2})
    model.graph.input.append(helper.make_tensor_value_info("s", TensorProto.INT64, [2]))
    with pytest.raises(ServiceError, match="Reshape has sizes that depend on the values of arguments"):
        onnx_signature(Onnx(model.SerializeToString()))


def test_what_is_not_sound() -> None:
    """Bytes that are no model, and graphs that contradict themselves."""
    assert refused(b"nonsense").reason is Reason.MALFORMED_PROGRAM
    assert refused(b"").reason is Reason.MALFORMED_PROGRAM
    assert "is not sound" in str(refused(model_of([node("Relu", ["z"], ["y"])], {"x": (3,)}, {"y": 1})))
    model = relu()
    model.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40]))
    assert "'w' cannot be read" in str(refused(model))


def test_functions_that_call_themselves() -> None:
    """A model's own functions are bounded in depth."""
    body = [node("again", ["x"], ["y"], domain="own")]
    function = helper.make_function("own", "again", ["x"], ["y"], body, [helper.make_opsetid("own", 1)])
    model = model_of([node("again", ["x"], ["y"], domain="own")], {"x": (3,)}, {"y": 1}, functions=[function])
    with pytest.raises(ServiceError, match=r"nested deeper|not sound"):
        onnx_signature(Onnx(model.SerializeToString()))


def test_arrays_of_no_argument_are_bounded() -> None:
    """A few bytes cannot ask for more memory than there is."""
    nodes = [
        node("ConstantOfShape", ["s"], ["big"]),
        node("ReduceSum", ["big"], ["r"]),
        node("Mul", ["x", "r"], ["y"]),
    ]
    model = model_of(nodes, {"x": (3,)}, {"y": 1}, {"s": np.array([2**20, 2**20])}, element=TensorProto.FLOAT)
    with pytest.raises(ServiceError, match="too large"):
        onnx_signature(Onnx(model.SerializeToString()))


def test_work_of_reading_is_bounded() -> None:
    """A few bytes cannot ask for a great matrix, or for more pieces than anyone counts."""
    resize = node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear")
    with pytest.raises(ServiceError, match="Resize of an axis of 4096 to 1000000 elements is not served"):
        onnx_signature(
            Onnx(
                model_of([resize], {"x": (4096,)}, {"y": 1}, {"sizes": np.array([10**6])}).SerializeToString()
            )
        )
    split = node("Split", ["x"], ["y"], num_outputs=10**12)
    with pytest.raises(ServiceError, match="would cut an array into 4097 pieces"):
        onnx_signature(Onnx(model_of([split], {"x": (10**6,)}, {"y": 1}).SerializeToString()))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_models_are_refused_or_read(data: st.DataObject) -> None:
    """Whatever byte is changed, there is an answer with a reason."""
    whole = bytearray(model_of([node("Relu", ["x"], ["y"])], {"x": (3,)}, {"y": 1}).SerializeToString())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ServiceError):
        onnx_signature(Onnx(bytes(whole)))


def test_graphs_that_are_nested_too_deep() -> None:
    """Graphs in graphs are refused with the limit, also where protobuf itself reads no further."""

    def nested(depth: int) -> bytes:
        graph = helper.make_graph(
            [node("Identity", ["x"], ["y"])],
            "g",
            [],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
        ).SerializeToString()
        for _ in range(depth):
            branch = _field(1, b"then_branch") + _field(6, graph) + b"\xa0\x01\x05"
            graph = _field(1, _field(4, b"If") + _field(5, branch)) + _field(2, b"g")
        return _field(7, graph) + _field(8, helper.make_opsetid("", 17).SerializeToString())

    for depth in (33, 40, 10_000):
        error = refused(nested(depth))
        assert (error.reason, error.metadata["limit"]) == (Reason.NESTING_TOO_DEEP, "32")


def _field(number: int, data: bytes) -> bytes:
    """A field of a message that holds a message or text."""
    length, size = len(data), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + data


def test_nodes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a model, and those that evaluating takes."""
    model = model_of(
        [node("Relu", ["x"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])],
        {"x": (3,)},
        {"y": 1},
    )
    onnx_signature(Onnx(model.SerializeToString()))
    monkeypatch.setattr(BOUNDS, "operations", 2)
    model.doc_string = "another one, which was not read before"
    error = refused(model)
    assert (error.reason, error.metadata["value"]) == (Reason.TOO_MANY_OPERATIONS, "3")
    assert "the server's limit (max_operations) is 2" in error.message
