"""From the bytes of a model to plain data. Opens no file: arrays that a model keeps elsewhere are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, checker, numpy_helper

from pullback_server.compute.formats.bounds import BOUNDS, too_many_operations
from pullback_server.compute.formats.onnx.elements import element_of
from pullback_server.compute.formats.onnx.failures import malformed, require_shallow, unsupported
from pullback_server.compute.formats.onnx.limits import DEEPEST_NESTING
from pullback_server.compute.formats.onnx.syntax import Function, Graph, Key, Model, Node, Port

OLDEST_OPSET: Final = 7
"""The first version whose operators broadcast as NumPy's do."""

_STANDARD: Final = "ai.onnx"
# What protobuf says of messages that are nested more than 100 deep.
_TOO_DEEP: Final = "MaxDepth"


def read_model(data: bytes, require: Callable[[Model], None]) -> Model:
    """Reads a serialized ModelProto.

    Args:
        data: The bytes.
        require: Raises if the model has an operator that is not served; called before ONNX's own
            checker, whose words for that are less help.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the bytes are no sound model; UNSUPPORTED_OPERATION for external
            data, sparse or text tensors, inputs that are no arrays, and operator sets before 7.
    """
    message = _parse(data)
    _require_size(message)
    for graph in (message.graph, *message.functions):
        _refuse_elsewhere(graph)
    model = _model(message)
    require(model)
    try:
        checker.check_model(message)
    except (checker.ValidationError, ValueError, RuntimeError) as error:
        raise malformed("the ONNX model", f"is not sound: {_first_line(error)}") from error
    return model


def read_function(message: onnx.FunctionProto, defaults: Mapping[str, Any]) -> Function:
    """Reads a function.

    Args:
        message: The function.
        defaults: Values of attributes that it does not say itself.
    """
    own = {_text(each.name): _attribute(each, 0) for each in message.attribute_proto}
    nodes = tuple(_node(node, 0) for node in message.node)
    graph = Graph(_texts(message.input), _texts(message.output), {}, nodes)
    return Function(graph, _opsets(message.opset_import), {**defaults, **own})


def read_attribute(message: AttributeProto) -> Any:
    """The value of an attribute."""
    return _attribute(message, 0)


def _parse(data: bytes) -> onnx.ModelProto:
    message = onnx.ModelProto()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        if _TOO_DEEP in str(error):
            require_shallow(DEEPEST_NESTING + 1)
        raise malformed(f"{len(data)} bytes", f"are no serialized ONNX model: {error}") from error
    if not message.HasField("graph"):
        raise malformed("the ONNX model", "has no graph")
    return message


def _require_size(message: onnx.ModelProto) -> None:
    count = sum(1 for graph in (message.graph, *message.functions) for _ in _nodes(graph))
    if count > BOUNDS.operations:
        raise too_many_operations(f"the ONNX model has {count} nodes", count, "split the model")


def _nodes(graph: Any, depth: int = 0) -> Iterator[onnx.NodeProto]:
    require_shallow(depth)
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner, depth + 1)


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _graphs(inner)


def _refuse_elsewhere(graph: Any) -> None:
    for inner in _graphs(graph):
        if getattr(inner, "sparse_initializer", ()):
            raise unsupported("sparse initializer", "is not served", "make the array dense")
        for tensor in _tensors(inner):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
                raise unsupported(
                    "external data",
                    f"is not served: the array {tensor.name!r} stands in another file",
                    "save the model with its data inside, as onnx.save_model(model, path) does",
                )


def _tensors(graph: Any) -> Iterator[onnx.TensorProto]:
    yield from getattr(graph, "initializer", ())
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        sparse = (attribute.sparse_tensor, *attribute.sparse_tensors)
        yield from (part for each in sparse for part in (each.values, each.indices))


def _model(message: onnx.ModelProto) -> Model:
    opsets = _opsets(message.opset_import)
    functions: dict[Key, Function] = {
        (_domain(each.domain), _text(each.name), _text(each.overload)): read_function(each, {})
        for each in message.functions
    }
    graph = _graph(message.graph, 0)
    ports = tuple(_port(value) for value in message.graph.input if value.name not in graph.constants)
    return Model(graph, ports, opsets, functions)


def _opsets(entries: Sequence[onnx.OperatorSetIdProto]) -> dict[str, int]:
    opsets = {_domain(entry.domain): entry.version for entry in entries}
    version = opsets.get("", OLDEST_OPSET)
    if not OLDEST_OPSET <= version <= onnx.defs.onnx_opset_version():
        newest = onnx.defs.onnx_opset_version()
        raise unsupported(
            f"operator set {version}",
            f"is not served: this server reads {OLDEST_OPSET} to {newest}",
            "convert the model with onnx.version_converter, or export it for another operator set",
        )
    return opsets


def _domain(domain: str) -> str:
    return "" if domain == _STANDARD else _text(domain)


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise unsupported(
            f"input {value.name!r}", f"is a {kind or 'value without a type'}, not an array", "take arrays"
        )
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise unsupported(f"input {value.name!r}", "has no shape", "export the model with one")
    return Port(_text(value.name), element_of(tensor.elem_type), tuple(map(_size, tensor.shape.dim)))


def _size(size: onnx.TensorShapeProto.Dimension) -> int | str:
    """A number, or the size's name, which may be empty. A negative number stands for a size without one."""
    if size.WhichOneof("value") == "dim_value":
        return size.dim_value if size.dim_value >= 0 else ""
    return _text(size.dim_param)


def _graph(message: onnx.GraphProto, depth: int) -> Graph:
    constants = {_text(tensor.name): _array(tensor) for tensor in message.initializer}
    return Graph(
        tuple(name for name in _texts(value.name for value in message.input) if name not in constants),
        _texts(value.name for value in message.output),
        constants,
        tuple(_node(node, depth) for node in message.node),
    )


def _node(message: onnx.NodeProto, depth: int) -> Node:
    attributes = {_text(each.name): each for each in message.attribute}
    references = {name: _text(each.ref_attr_name) for name, each in attributes.items() if each.ref_attr_name}
    return Node(
        _text(message.op_type),
        _domain(message.domain),
        _text(message.overload),
        _text(message.name),
        _texts(message.input),
        _texts(message.output),
        {name: _attribute(each, depth) for name, each in attributes.items() if name not in references},
        references,
    )


_SCALARS: Final = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
}
_LISTS: Final = {
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
}


def _attribute(message: AttributeProto, depth: int) -> Any:  # noqa: PLR0911 -- one return a type
    match message.type:
        case kind if kind in _SCALARS:
            return getattr(message, _SCALARS[kind])
        case kind if kind in _LISTS:
            return tuple(getattr(message, _LISTS[kind]))
        case AttributeProto.STRING:
            return _text(message.s)
        case AttributeProto.STRINGS:
            return _texts(message.strings)
        case AttributeProto.TENSOR:
            return _array(message.t)
        case AttributeProto.GRAPH:
            return _graph(message.g, depth + 1)
        case AttributeProto.TYPE_PROTO:
            return message.type
        case _:
            names = {value: name for name, value in AttributeProto.AttributeType.items()}
            what = names.get(message.type, str(message.type))
            raise unsupported(f"attribute {message.name!r}", f"of the kind {what} is not served")


def _text(data: str | bytes) -> str:
    """Text; what is no UTF-8 comes from protobuf as bytes, in names, too."""
    return data.decode(errors="replace") if isinstance(data, bytes) else data


def _texts(data: Iterable[str | bytes]) -> tuple[str, ...]:
    return tuple(map(_text, data))


def _array(tensor: onnx.TensorProto) -> np.ndarray[Any, np.dtype[Any]]:
    element = element_of(tensor.data_type)
    try:
        found = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise malformed(
            f"the ONNX tensor {tensor.name!r}", f"cannot be read: {_first_line(error)}"
        ) from error
    return np.asarray(found, element.dtype)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
