"""Dense constants from their text.

MLIR's Python bindings give most constants as numpy arrays, but complex ones and those of the smaller
element types only as text: `dense<[(1.0,2.0), (3.0,4.0)]>`, a single element for all, or, for many
elements, their bytes in hexadecimal.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.syntax import Splat

_DENSE: Final = re.compile(r"dense<(?P<content>.*?)>\s*:\s*tensor<", re.DOTALL)
_BYTES: Final = re.compile(r'"0x(?P<digits>[0-9A-Fa-f]*)"')
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]+|[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_RESOURCE: Final = re.compile(r'dense_resource<(?P<name>"(?:[^"\\]|\\.)*"|[\w.$-]+)>')
# A resource's bytes follow the four bytes that say its alignment.
_ALIGNMENT_BYTES: Final = 4


def parse_dense(text: str, tensor_type: TensorType) -> np.ndarray[Any, Any] | Splat:
    """Reads a constant from the text of its operation.

    Args:
        text: The operation as MLIR prints it.
        tensor_type: The constant's type.

    Returns:
        An array of that type, or the element that all elements are equal to.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the text is no dense constant of that type.
    """
    match = _DENSE.search(text)
    if match is None:
        raise malformed("stablehlo.constant", "is not dense")
    content = match["content"].strip()
    hexadecimal = _BYTES.fullmatch(content)
    if hexadecimal is not None:
        return _from_bytes(bytes.fromhex(hexadecimal["digits"]), tensor_type)
    elements = _elements(content, tensor_type.element)
    if content and not content.startswith("["):
        return Splat(elements[0])
    return _shaped(elements, tensor_type)


def parse_resource(text: str, module: str, tensor_type: TensorType) -> np.ndarray[Any, Any] | Splat:
    """Reads a constant that refers to a resource of its module.

    Args:
        text: The operation as MLIR prints it.
        module: The module as MLIR prints it, which ends with its resources.
        tensor_type: The constant's type.

    Returns:
        An array of that type, or the element that all elements are equal to.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the module lacks the resource, or it does not fit the type.
    """
    match = _RESOURCE.search(text)
    if match is None:
        raise malformed("stablehlo.constant", "is neither dense nor a resource")
    blob = re.search(rf'\b{re.escape(match["name"])}: "0x(?P<digits>[0-9A-Fa-f]*)"', module)
    if blob is None:
        raise malformed("stablehlo.constant", f"refers to the resource {match['name']}, which is missing")
    return _from_bytes(bytes.fromhex(blob["digits"])[_ALIGNMENT_BYTES:], tensor_type)


def _from_bytes(data: bytes, tensor_type: TensorType) -> np.ndarray[Any, Any] | Splat:
    dtype = tensor_type.element.dtype
    if len(data) % dtype.itemsize:
        raise malformed("stablehlo.constant", f"of type {tensor_type} has {len(data)} bytes")
    elements = np.frombuffer(data, dtype)
    if tensor_type.element.value.endswith(("i2", "i4")):
        # A byte each, whose upper bits say nothing; those of numpy's are the sign's.
        bits = int(tensor_type.element.value[-1])
        elements = np.frombuffer(data, np.uint8).astype(np.int16) & (1 << bits) - 1
        if tensor_type.element.value.startswith("i"):
            elements = elements - ((elements >> bits - 1) << bits)
        elements = elements.astype(dtype)
    elif tensor_type.element is ElementType.I1:
        elements = np.frombuffer(data, np.uint8) != 0
    return Splat(elements[0]) if elements.size == 1 else _shaped(elements, tensor_type)


def _shaped(elements: np.ndarray[Any, Any], tensor_type: TensorType) -> np.ndarray[Any, Any]:
    if elements.size != tensor_type.size:
        raise malformed("stablehlo.constant", f"of type {tensor_type} has {elements.size} elements")
    return elements.reshape(tensor_type.shape)


def _elements(content: str, element: ElementType) -> np.ndarray[Any, Any]:
    part = _part_dtype(element)
    parts = np.array([_number(word, part) for word in _NUMBER.findall(content)], part)
    return parts.view(element.dtype) if element.is_complex else parts


def _part_dtype(element: ElementType) -> np.dtype[Any]:
    if element.is_complex:
        return np.dtype(np.float32 if element is ElementType.C64 else np.float64)
    return element.dtype


def _number(word: str, dtype: np.dtype[Any]) -> Any:
    if not word.startswith("0x"):
        return np.array(float(word)).astype(dtype)[()]
    # A bit pattern: what is not finite is printed so.
    return np.frombuffer(int(word, 16).to_bytes(dtype.itemsize, "little"), dtype)[0]
