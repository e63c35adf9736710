"""Arrays on the wire and back: the only module that touches a tensor's bytes."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

import numpy as np

from pullback.codec.tensors import Tensor
from pullback.errors import ServerError
from pullback.program.tensors import TensorType
from pullback.program.wire import element_from_wire, element_to_wire

Array = np.ndarray[Any, np.dtype[Any]]

# Up to here it is quicker to copy the elements once more than to look at them where they lie.
_SMALL: Final = 1 << 14
_FOREIGN: Final = ">" if sys.byteorder == "little" else "=<|"


def encode(array: Array, tensor_type: TensorType) -> Tensor:
    """The tensor of an array.

    Its data is a copy where it is small, else the array's own memory: what writes the message copies it.

    Args:
        array: The elements, in any byte order and memory layout.
        tensor_type: Gives the element type, which is that of the array; its shape is not used.
    """
    if array.dtype.byteorder in _FOREIGN:
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = array.tobytes() if array.nbytes <= _SMALL else _bytes_of(array)
    return Tensor(element_to_wire(tensor_type.element), array.shape, data)


def _bytes_of(array: Array) -> memoryview:
    # Some dtypes of ml_dtypes have no buffer of their own, but their bytes have.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def decode(tensor: Tensor) -> Array:
    """The array of a tensor, which can be written to: a new one, or its memory where that can be.

    Raises:
        ServerError: If there are more or fewer bytes than the type says.
        MalformedProgramError: If the element type is unknown, or needs the package ml_dtypes and it is
            not installed.
    """
    element, shape, data, _ = tensor
    dtype = _dtype(element)
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:
        raise _mismatch(tensor) from error
    if array.shape != shape:
        raise _mismatch(tensor)
    return array if array.flags.writeable else array.copy()


@cache
def _dtype(element: int) -> np.dtype[np.generic]:
    return element_from_wire(element).dtype


def _mismatch(tensor: Tensor) -> ServerError:
    expected = TensorType(element_from_wire(tensor.element), tensor.shape)
    return ServerError(
        f"the server sent {len(tensor.data)} bytes for {expected}, which has {expected.nbytes}",
        code="INTERNAL",
    )
