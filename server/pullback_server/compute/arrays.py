"""Tensors as numpy arrays, and back, without a copy where none is needed. Knows no JAX."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np

from pullback.program.elements import ElementType, element_of
from pullback.program.tensors import TensorType
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Buffer, Tensor

Array = np.ndarray[Any, np.dtype[Any]]

# Types of which a byte can hold values that are none; as what to read the byte, and what it may hold.
_NARROW: Final = {
    ElementType.I1: (np.dtype(np.uint8), 0, 1),
    ElementType.I2: (np.dtype(np.int8), -2, 1),
    ElementType.UI2: (np.dtype(np.uint8), 0, 3),
    ElementType.I4: (np.dtype(np.int8), -8, 7),
    ElementType.UI4: (np.dtype(np.uint8), 0, 15),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How tensors of a type lie in memory; all that follows from the type, found once.

    Attributes:
        type: The type at one point.
        dtype: That of its arrays.
        wire: That of its elements as they are sent; another one where `bounds` are.
        nbytes: The bytes of one point.
        bounds: What an element may be where its byte could hold more.
    """

    type: TensorType
    dtype: np.dtype[Any]
    wire: np.dtype[Any]
    nbytes: int
    bounds: tuple[int, int] | None

    def array(self, data: Buffer, points: int | None = None) -> Array:
        """The elements of a tensor, or of so many points of a batch, as an array.

        It lies where they lie, unless they are not aligned or need to be converted.

        Raises:
            ServiceError: MALFORMED_REQUEST if the bytes are too many or too few, or one is no value of the
                type.
        """
        shape = self.type.shape if points is None else (points, *self.type.shape)
        nbytes = self.nbytes if points is None else points * self.nbytes
        if len(data) != nbytes or not nbytes:
            data = _flat(data)
            if len(data) != nbytes:
                raise self._wrong_length(points, nbytes, len(data))
            if not nbytes:
                return np.empty(shape, self.dtype)
        array = np.frombuffer(data, self.wire).reshape(shape)
        if self.bounds is not None:
            # A client may change memory that it shares at any time: what is checked must be what is used.
            return self._checked(array.copy(), self.bounds).astype(self.dtype)
        return array if array.flags.aligned else array.copy()

    def place(self, memory: Buffer, points: int | None = None) -> Array:
        """Where elements are to be written: memory of their number of bytes, as an array."""
        shape = self.type.shape if points is None else (points, *self.type.shape)
        return np.frombuffer(memory, self.wire).reshape(shape) if len(memory) else np.empty(shape, self.wire)

    def elements(self, array: Array) -> Array:
        """The elements of an array as they are sent, row-major."""
        return np.ascontiguousarray(array if self.bounds is None else array.astype(self.wire))

    def _checked(self, array: Array, bounds: tuple[int, int]) -> Array:
        low, high = bounds
        if array.min() < low or array.max() > high:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"a tensor of type {self.type} has bytes from {array.min()} to {array.max()}; "
                f"send one byte an element, from {low} to {high}",
            )
        return array

    def _wrong_length(self, points: int | None, expected: int, actual: int) -> ServiceError:
        what = self.type if points is None else self.type.batched(points)
        return service_error(
            Reason.MALFORMED_REQUEST,
            f"a tensor of type {what} has {expected} bytes, but {actual} were sent",
            expected=str(expected),
            actual=str(actual),
        )


@lru_cache(4096)
def form_of(tensor_type: TensorType) -> Form:
    """The form of a type."""
    dtype = tensor_type.element.dtype
    wire, *bounds = _NARROW.get(tensor_type.element, (dtype,))
    return Form(tensor_type, dtype, wire, tensor_type.nbytes, (bounds[0], bounds[1]) if bounds else None)


def to_array(tensor: Tensor) -> Array:
    """The tensor's elements as an array of its dtype and shape; see `Form.array`."""
    return form_of(tensor.type).array(tensor.data)


def to_tensor(array: Array) -> Tensor:
    """The tensor of an array: raw, little-endian, row-major; it keeps the array alive."""
    type_ = TensorType(_element_of(array.dtype), array.shape)
    return Tensor(type_, raw(form_of(type_).elements(array)))


def raw(array: Array) -> memoryview:
    """The bytes of a row-major array; they keep it alive."""
    return array.reshape(-1).view(np.uint8).data


# numpy makes a dtype's name anew each time it is asked for it, which takes longer than all else here.
_element_of = cache(element_of)


def _flat(data: Buffer) -> memoryview:
    """The bytes of a buffer, whatever it says that its elements are."""
    return memoryview(data).cast("B") if len(data) else memoryview(b"")
