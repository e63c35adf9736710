"""Operators that ONNX itself defines by others: their definitions, from ONNX's own schemas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper

from pullback.program.elements import element_of
from pullback_server.compute.formats.onnx.call import Call
from pullback_server.compute.formats.onnx.elements import number_of
from pullback_server.compute.formats.onnx.reading import read_attribute, read_function
from pullback_server.compute.formats.onnx.syntax import Function, Node
from pullback_server.compute.formats.onnx.values import Value, is_array


def definition(call: Call) -> Function:
    """The function that defines a call's operator, for its attributes and the types of its inputs."""
    node = call.node
    schema: Any = defs.get_schema(node.operator, call.version, node.domain)
    if schema.has_function:
        return _plain(node.operator, node.domain, call.version)
    versions = schema.context_dependent_function_opset_versions
    version = max((each for each in versions if each <= call.version), default=schema.since_version)
    body = schema.get_context_dependent_function_with_opset_version(
        version, _message(node, call.attributes).SerializeToString(), list(map(_type, call.inputs))
    )
    message = onnx.FunctionProto()
    message.ParseFromString(body)
    return read_function(message, _defaults(schema))


@cache
def _plain(operator: str, domain: str, version: int) -> Function:
    schema = defs.get_schema(operator, version, domain)
    return read_function(schema.function_body, _defaults(schema))


def _defaults(schema: defs.OpSchema) -> dict[str, Any]:
    return {
        name: read_attribute(each.default_value)
        for name, each in schema.attributes.items()
        if each.default_value.name
    }


def _message(node: Node, attributes: Mapping[str, Any]) -> onnx.NodeProto:
    return helper.make_node(
        node.operator, list(node.inputs), list(node.outputs), domain=node.domain, **attributes
    )


def _type(value: Value) -> bytes:
    """The serialized type of a value; none for what is absent."""
    if not is_array(value):
        return onnx.TypeProto().SerializeToString()
    element = number_of(element_of(np.dtype(value.dtype)))
    return helper.make_tensor_type_proto(element, value.shape).SerializeToString()
