"""Arrays on the wire and back: the only module that touches a tensor's bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pullback.errors import ServerError
from pullback.program.tensors import TensorType
from pullback.program.wire import element_to_wire, tensor_type_from_wire
from pullback.v1 import tensor_pb2

Array = np.ndarray[Any, np.dtype[Any]]


def encode(array: Array, tensor_type: TensorType) -> tensor_pb2.Tensor:
    """The message of an array.

    Args:
        array: The elements, in any byte order and memory layout.
        tensor_type: Gives the element type, which is that of the array; its shape is not used.
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return tensor_pb2.Tensor(
        element_type=element_to_wire(tensor_type.element), shape=array.shape, data=little.tobytes()
    )


def decode(message: tensor_pb2.Tensor) -> Array:
    """The array of a message: a new one, which can be written to.

    Raises:
        ServerError: If there are more or fewer bytes than the type says.
        MalformedProgramError: If the element type is unknown, or needs the package ml_dtypes and it is
            not installed.
    """
    tensor_type = _type_of(message)
    data = message.data
    if len(data) != tensor_type.nbytes:
        raise ServerError(
            f"the server sent {len(data)} bytes for {tensor_type}, which has {tensor_type.nbytes}",
            code="INTERNAL",
        )
    return np.frombuffer(data, tensor_type.element.dtype).reshape(tensor_type.shape).copy()


def _type_of(message: tensor_pb2.Tensor) -> TensorType:
    return tensor_type_from_wire(
        tensor_pb2.TensorType(element_type=message.element_type, shape=message.shape)
    )
