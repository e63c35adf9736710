"""Tensors become arrays where they lie, and come back as they were."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Tensor


@pytest.mark.parametrize("element", list(ElementType))
@pytest.mark.parametrize("shape", [(), (2, 3), (3, 0)])
def test_every_element_type_comes_back(element: ElementType, shape: tuple[int, ...]) -> None:
    """Bytes that are values of the type come back unchanged, in every shape."""
    kind = TensorType(element, shape)
    data = np.ones(shape, element.dtype)
    data = data.astype(np.uint8).tobytes() if element.value in {"i4", "ui4"} else data.tobytes()
    array = to_array(Tensor(kind, data))
    assert (array.dtype, array.shape) == (element.dtype, shape)
    back = to_tensor(array)
    assert back.type == kind
    assert bytes(back.data) == data


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_no_copy_in(buffer: type) -> None:
    """The array lies in the tensor's memory, whatever holds it."""
    data = buffer(np.arange(6.0).tobytes())
    array = to_array(Tensor(parse_tensor_type("f64[2,3]"), data))
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))


def test_no_copy_out() -> None:
    """The tensor lies in the array's memory."""
    array = np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(np.frombuffer(to_tensor(array).data), array)


def test_a_transposed_array_comes_out_row_major() -> None:
    """Only row-major elements are sent."""
    array = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(to_array(to_tensor(array)), array)


def test_four_bits_are_one_byte_sign_extended() -> None:
    """-1 is the byte 255 as int4, 15 is the byte 15 as uint4."""
    signed = to_tensor(np.array([-1, 7, -8], ml_dtypes.int4))
    assert bytes(signed.data) == bytes([255, 7, 248])
    assert [int(value) for value in to_array(signed)] == [-1, 7, -8]
    assert bytes(to_tensor(np.array([15, 0], ml_dtypes.uint4)).data) == bytes([15, 0])


@pytest.mark.parametrize(
    ("kind", "data"), [("i1[2]", b"\x00\x02"), ("i4[1]", b"\x08"), ("i4[1]", b"\xf7"), ("ui4[1]", b"\x10")]
)
def test_bytes_that_are_no_value_are_refused(kind: str, data: bytes) -> None:
    """A byte outside the type's range is no value of it."""
    with pytest.raises(ServiceError, match="one byte an element") as caught:
        to_array(Tensor(parse_tensor_type(kind), data))
    assert caught.value.reason is Reason.MALFORMED_REQUEST


@pytest.mark.parametrize("data", [b"", b"1234567", b"123456789"])
def test_a_wrong_number_of_bytes_is_refused(data: bytes) -> None:
    """The message has both numbers."""
    with pytest.raises(ServiceError, match=f"8 bytes, but {len(data)}") as caught:
        to_array(Tensor(parse_tensor_type("f64[]"), data))
    assert caught.value.reason is Reason.MALFORMED_REQUEST
