"""Tensor types and their spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.elements import ElementType
from pullback.program.errors import MalformedProgramError
from pullback.program.tensors import TensorType, parse_tensor_type, symbolic_type

axes = st.integers(0, 10**6) | st.sampled_from(["n", "2*n+m", "floordiv(n,2)"])
tensor_types = st.builds(symbolic_type, st.sampled_from(ElementType), st.lists(axes, max_size=4).map(tuple))


@given(tensor_types)
def test_spelling_and_back(tensor_type: TensorType) -> None:
    """What is written is read again."""
    assert parse_tensor_type(str(tensor_type)) == tensor_type


def test_size_in_bytes() -> None:
    """Bytes are elements times item size, also of scalars and of empty arrays."""
    assert parse_tensor_type("f64[3,2]").nbytes == 48
    assert parse_tensor_type("c128").nbytes == 16
    assert parse_tensor_type("f32[3,0]").nbytes == 0


def test_a_batch_has_one_more_leading_axis() -> None:
    """The batch's axis stands first."""
    assert str(parse_tensor_type("f32[3,2]").batched(7)) == "f32[7,3,2]"


@pytest.mark.parametrize("text", ["f64[", "f64[3,]", "f64[-1]", "[3]", "", "f64[3 3]", "f64[3,,3]", "F64"])
def test_other_texts_are_refused(text: str) -> None:
    """What is no tensor type is quoted in the error."""
    with pytest.raises(MalformedProgramError, match="f64"):
        parse_tensor_type(text)
