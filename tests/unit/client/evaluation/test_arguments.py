"""What a user passes, as arrays that fit a signature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pullback._evaluation.arguments import bind, describe_argument, flatten_value, is_batched, to_array
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, DictNode, TupleNode

F64 = parse_tensor_type("f64[3]")
PARAMS = Argument("params", DictNode(("b", "w"), (LEAF, LEAF)), (parse_tensor_type("f32[]"), F64))
SIGNATURE = Signature((PARAMS, Argument("x", LEAF, (F64,))))


@pytest.mark.parametrize(("args", "kwargs"), [((1, 2), {}), ((1,), {"x": 2}), ((), {"x": 2, "params": 1})])
def test_arguments_come_by_position_or_name(args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    """In any mixture, they end in the order of the signature."""
    assert bind(SIGNATURE, args, kwargs) == [1, 2]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1, 2, 3), {}, "3 arguments were given to a function of 2"),
        ((1,), {"y": 2}, "there is no argument 'y'"),
        ((1, 2), {"x": 3}, "'x' was given twice"),
        ((1,), {}, "'x' was not given"),
    ],
)
def test_arguments_that_do_not_fit(args: tuple[int, ...], kwargs: dict[str, int], message: str) -> None:
    """Refused with the signature in the message."""
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        bind(SIGNATURE, args, kwargs)
    assert caught.value.reason == "ARGUMENT_COUNT_MISMATCH"
    assert "x: f64[3]" in str(caught.value)


def test_a_tree_is_described_leaf_by_leaf() -> None:
    """With the path by which a user would reach each."""
    assert describe_argument(PARAMS) == "params['b']: f32[], params['w']: f64[3]"


def test_another_structure() -> None:
    """Refused with the place."""
    with pytest.raises(InvalidArgumentError, match=r"p\[1\] must be None|p must be a tuple of 2") as caught:
        flatten_value(TupleNode((LEAF, LEAF)), [1, 2, 3], "p")
    assert caught.value.reason == "ARGUMENT_COUNT_MISMATCH"


@pytest.mark.parametrize(
    ("value", "spelled", "expected"),
    [
        (1, "f64[]", np.float64(1.0)),
        (True, "i1[]", np.bool_(True)),
        (True, "f32[]", np.float32(1.0)),
        (2.5, "c64[]", np.complex64(2.5)),
        (1 + 2j, "c128[]", np.complex128(1 + 2j)),
        ([1, 2, 3], "f32[3]", np.array([1, 2, 3], "f4")),
        (((1, 2), (3, 4)), "i8[2,2]", np.array([[1, 2], [3, 4]], "i1")),
        ([], "f64[0]", np.zeros(0)),
        ([[], []], "i32[2,0]", np.zeros((2, 0), "i4")),
        (255, "ui8[]", np.uint8(255)),
        (2**63, "ui64[]", np.uint64(2**63)),
    ],
)
def test_numbers_are_converted(value: Any, spelled: str, expected: Any) -> None:
    """Where their kind allows: bool to integer to float to complex."""
    array = to_array(value, parse_tensor_type(spelled), "x")
    assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("value", "spelled", "message"),
    [
        (1.0, "i32[]", "float64"),
        (1j, "f64[]", "complex128"),
        (1, "i1[]", "int64"),
        ([1, "a"], "f64[2]", "without loss"),
        ([1.0, None], "f64[2]", "object"),
        (300, "i8[]", "outside the range of i8"),
        (-1, "ui32[]", "outside the range of ui32"),
        (2**64, "ui64[]", "object"),
        ("text", "f64[]", "of type str"),
        (None, "f64[]", "of type NoneType"),
        ({"a": 1}, "f64[]", "of type dict"),
        (np.array(["a"]), "f64[1]", "cannot be sent"),
        (np.float32(1), "f64[]", r"x has the dtype float32.*x\.astype\(np\.float64\)"),
        (np.float64(1), "f32[]", r"x\.astype\(np\.float32\)"),
        (np.arange(3), "f64[3]", r"x has the dtype int64"),
        (np.zeros(3), "bf16[3]", r"x\.astype\('bfloat16'\)"),
    ],
)
def test_what_would_lose_is_refused(value: Any, spelled: str, message: str) -> None:
    """Numbers of a larger kind or range, what is no number, and arrays of another dtype."""
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        to_array(value, parse_tensor_type(spelled), "x")
    assert caught.value.reason == "ELEMENT_TYPE_MISMATCH"
    assert caught.value.metadata["argument"] == "x"


@pytest.mark.parametrize(
    ("shape", "spelled", "batched"),
    [
        ((3,), "f64[3]", False),
        ((5, 3), "f64[3]", True),
        ((0, 3), "f64[3]", True),
        ((), "f64[]", False),
        ((7,), "f64[]", True),
        ((2, 0), "f64[2,0]", False),
        ((4, 2, 0), "f64[2,0]", True),
    ],
)
def test_one_more_leading_axis_is_a_batch(shape: tuple[int, ...], spelled: str, batched: bool) -> None:
    """And no other axis is; batches may be empty, and so may arrays."""
    expected = parse_tensor_type(spelled)
    assert is_batched(to_array(np.zeros(shape), expected, "x"), expected) is batched


@pytest.mark.parametrize("shape", [(), (2,), (4,), (3, 4), (1, 1, 3), (3, 1)])
def test_other_shapes(shape: tuple[int, ...]) -> None:
    """Refused with both shapes and the way out."""
    with pytest.raises(InvalidArgumentError, match=r"f64\[3\].*one more leading axis") as caught:
        to_array(np.zeros(shape), F64, "x")
    assert caught.value.reason == "SHAPE_MISMATCH"
    assert caught.value.metadata["expected"] == "f64[3]"
    assert caught.value.metadata["actual"] == f"f64{list(shape)}".replace(" ", "")


def test_ragged_lists() -> None:
    """A list of rows of different lengths is no array."""
    with pytest.raises(InvalidArgumentError, match="different lengths"):
        to_array([[1, 2], [3]], parse_tensor_type("f64[2,2]"), "x")
