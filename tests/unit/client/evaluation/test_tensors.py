"""Arrays on the wire and back."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pullback._evaluation.tensors import Array, decode, encode
from pullback.codec.tensors import Tensor
from pullback.errors import ServerError
from pullback.program.elements import ElementType, element_of
from pullback.program.tensors import TensorType
from pullback.v1 import tensor_pb2


def there_and_back(array: Array) -> Array:
    """An array that went over the wire."""
    tensor = encode(array, TensorType(element_of(array.dtype), array.shape))
    message = tensor_pb2.Tensor(element_type=tensor.element, shape=tensor.shape, data=bytes(tensor.data))
    read = tensor_pb2.Tensor.FromString(message.SerializeToString())
    return decode(Tensor(read.element_type, tuple(read.shape), read.data))


@given(
    hnp.arrays(
        st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_every_array_comes_back(array: Array) -> None:
    """Shape, dtype and every bit, for scalars and empty arrays too."""
    back = there_and_back(array)
    assert (back.shape, back.dtype, back.tobytes()) == (array.shape, array.dtype, array.tobytes())


@pytest.mark.parametrize("element", list(ElementType))
def test_every_element_type_comes_back(element: ElementType) -> None:
    """Also those that numpy has from ml_dtypes."""
    array = np.array([0, 1, 1], element.dtype)
    back = there_and_back(array)
    # f8e8m0fnu has no zero, but NaN.
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


def test_memory_layout_does_not_matter() -> None:
    """A transposed and a big-endian array arrive row-major and little-endian."""
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(there_and_back(array.T), array.T)
    np.testing.assert_array_equal(there_and_back(array.astype(">f8")), array)


def test_bytes_are_little_endian() -> None:
    """The wire's form does not depend on the machine's."""
    message = encode(np.array([1, 256], "i4"), TensorType(ElementType.I32, (2,)))
    assert message.data == b"\x01\x00\x00\x00\x00\x01\x00\x00"


def test_a_result_can_be_written_to() -> None:
    """It is the user's own."""
    result = there_and_back(np.zeros(2))
    result += 1.0
    np.testing.assert_array_equal(result, np.ones(2))


def test_too_few_bytes() -> None:
    """An error of the server that says how many."""
    message = Tensor(tensor_pb2.ELEMENT_TYPE_F64, (2,), bytes(8))
    with pytest.raises(ServerError, match=r"8 bytes for f64\[2\], which has 16"):
        decode(message)


def test_bfloat16_keeps_its_bits() -> None:
    """One byte pair each, the upper half of a binary32."""
    message = encode(np.array(1.0, ml_dtypes.bfloat16), TensorType(ElementType.BF16, ()))
    assert message.data == b"\x80\x3f"
