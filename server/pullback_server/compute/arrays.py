"""Tensors as numpy arrays, and back, without a copy where none is needed. Knows no JAX."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from pullback.program.elements import ElementType, element_of
from pullback.program.tensors import TensorType
from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

# Types of which a byte can hold values that are none; as what to read the byte, and what it may hold.
_NARROW: Final = {
    ElementType.I1: (np.uint8, 0, 1),
    ElementType.I2: (np.int8, -2, 1),
    ElementType.UI2: (np.uint8, 0, 3),
    ElementType.I4: (np.int8, -8, 7),
    ElementType.UI4: (np.uint8, 0, 15),
}


def to_array(tensor: Tensor) -> Array:
    """The tensor's elements as an array of its dtype and shape.

    It lies where the tensor's bytes lie, unless those are not aligned or need to be converted.

    Raises:
        ServiceError: MALFORMED_REQUEST if the bytes are too many or too few, or one is no value of the type.
    """
    data = memoryview(tensor.data).cast("B") if len(tensor.data) else memoryview(b"")
    if data.nbytes != tensor.type.nbytes:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"a tensor of type {tensor.type} has {tensor.type.nbytes} bytes, but {data.nbytes} were sent",
            expected=str(tensor.type.nbytes),
            actual=str(data.nbytes),
        )
    if not data.nbytes:
        return np.empty(tensor.type.shape, tensor.type.element.dtype)
    if tensor.type.element in _NARROW:
        return _from_bytes(tensor.type, data)
    array = np.frombuffer(data, tensor.type.element.dtype).reshape(tensor.type.shape)
    return array if array.flags.aligned else array.copy()


def to_tensor(array: Array) -> Tensor:
    """The tensor of an array: raw, little-endian, row-major; it keeps the array alive."""
    element = _element_of(array.dtype)
    if element in _NARROW:
        array = array.astype(_NARROW[element][0])
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return Tensor(TensorType(element, array.shape), flat.data)


# numpy makes a dtype's name anew each time it is asked for it, which takes longer than all else here.
_element_of = cache(element_of)


def _from_bytes(tensor_type: TensorType, data: memoryview) -> Array:
    reading, low, high = _NARROW[tensor_type.element]
    values = np.frombuffer(data, reading)
    if values.min() < low or values.max() > high:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"a tensor of type {tensor_type} has bytes from {values.min()} to {values.max()}; "
            f"send one byte an element, from {low} to {high}",
        )
    return values.astype(tensor_type.element.dtype).reshape(tensor_type.shape)
