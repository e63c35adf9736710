"""Element types and their names."""

from __future__ import annotations

import numpy as np
import pytest

from pullback.program.elements import ElementType, element_of, parse_element
from pullback.program.errors import MalformedProgramError


@pytest.mark.parametrize("element", ElementType)
def test_dtype_and_back(element: ElementType) -> None:
    """Every element type has a dtype of its item size, which leads back to it."""
    assert element.dtype.itemsize == element.itemsize
    assert element_of(element.dtype) is element


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("f64", ElementType.F64),
        ("float64", ElementType.F64),
        ("bool", ElementType.I1),
        ("u8", ElementType.UI8),
        ("complex128", ElementType.C128),
    ],
)
def test_spellings(text: str, element: ElementType) -> None:
    """Our spelling, numpy's and JAX's short one are read."""
    assert parse_element(text) is element


def test_differentiable_elements() -> None:
    """Floats and complex numbers have derivatives; integers and booleans have none."""
    exact = {element for element in ElementType if not element.differentiable}
    assert {element.value.rstrip("0123456789") for element in exact} == {"i", "ui"}


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    """A misspelt type is quoted, and the right ones are named."""
    with pytest.raises(MalformedProgramError, match=r"'f46' is no element type.*f64"):
        parse_element("f46")


def test_text_has_no_element_type() -> None:
    """An array of text cannot be sent."""
    with pytest.raises(MalformedProgramError, match="<U3"):
        element_of(np.array(["abc"]).dtype)
