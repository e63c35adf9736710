"""Element types, by the names of the StableHLO specification in JAX's short spelling."""

from __future__ import annotations

import importlib
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np

from pullback.program.errors import MalformedProgramError


class ElementType(StrEnum):
    """The type of one element, such as `f64`.

    Source: StableHLO specification, "Types"; complex types are named as in JAX (`c128` is
    `complex<f64>`), unsigned integers as in StableHLO (`ui8`).
    """

    I1 = "i1"
    I2 = "i2"
    I4 = "i4"
    I8 = "i8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    UI2 = "ui2"
    UI4 = "ui4"
    UI8 = "ui8"
    UI16 = "ui16"
    UI32 = "ui32"
    UI64 = "ui64"
    F16 = "f16"
    BF16 = "bf16"
    F32 = "f32"
    F64 = "f64"
    C64 = "c64"
    C128 = "c128"
    F8E4M3FN = "f8e4m3fn"
    F8E5M2 = "f8e5m2"
    F8E4M3B11FNUZ = "f8e4m3b11fnuz"
    F8E4M3FNUZ = "f8e4m3fnuz"
    F8E5M2FNUZ = "f8e5m2fnuz"
    F8E3M4 = "f8e3m4"
    F8E4M3 = "f8e4m3"
    F8E8M0FNU = "f8e8m0fnu"
    F4E2M1FN = "f4e2m1fn"

    @property
    def itemsize(self) -> int:
        """Bytes that one element takes in a tensor's data."""
        return _ITEMSIZES[self]

    @property
    def differentiable(self) -> bool:
        """Whether derivatives with respect to it exist: floating-point and complex types."""
        return self.value[0] in "fbc"

    @property
    def is_complex(self) -> bool:
        """Whether it is a complex type."""
        return self.value[0] == "c"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy dtype.

        Raises:
            MalformedProgramError: If numpy has no such dtype and the package ml_dtypes, which has, is
                not installed.
        """
        return _dtype(self)


_DTYPE_NAMES: Final = {
    ElementType.I1: "bool",
    ElementType.I2: "int2",
    ElementType.I4: "int4",
    ElementType.I8: "int8",
    ElementType.I16: "int16",
    ElementType.I32: "int32",
    ElementType.I64: "int64",
    ElementType.UI2: "uint2",
    ElementType.UI4: "uint4",
    ElementType.UI8: "uint8",
    ElementType.UI16: "uint16",
    ElementType.UI32: "uint32",
    ElementType.UI64: "uint64",
    ElementType.F16: "float16",
    ElementType.BF16: "bfloat16",
    ElementType.F32: "float32",
    ElementType.F64: "float64",
    ElementType.C64: "complex64",
    ElementType.C128: "complex128",
    ElementType.F8E4M3FN: "float8_e4m3fn",
    ElementType.F8E5M2: "float8_e5m2",
    ElementType.F8E4M3B11FNUZ: "float8_e4m3b11fnuz",
    ElementType.F8E4M3FNUZ: "float8_e4m3fnuz",
    ElementType.F8E5M2FNUZ: "float8_e5m2fnuz",
    ElementType.F8E3M4: "float8_e3m4",
    ElementType.F8E4M3: "float8_e4m3",
    ElementType.F8E8M0FNU: "float8_e8m0fnu",
    ElementType.F4E2M1FN: "float4_e2m1fn",
}
_ELEMENTS: Final = {name: element for element, name in _DTYPE_NAMES.items()}
_BEYOND_NUMPY: Final = frozenset(
    element
    for element, name in _DTYPE_NAMES.items()
    if name.startswith(("bf", "float8", "float4")) or name.endswith(("int2", "int4"))
)
_TWO_BYTES: Final = 2
_ITEMSIZES: Final = {
    element: np.dtype(name).itemsize
    if element not in _BEYOND_NUMPY
    else (_TWO_BYTES if element is ElementType.BF16 else 1)
    for element, name in _DTYPE_NAMES.items()
}
_ALIASES: Final = {
    "bool": ElementType.I1,
    **_ELEMENTS,
    **{f"u{n}": ElementType(f"ui{n}") for n in (2, 4, 8, 16, 32, 64)},
}


@cache
def _dtype(element: ElementType) -> np.dtype[np.generic]:
    name = _DTYPE_NAMES[element]
    if element not in _BEYOND_NUMPY:
        return np.dtype(name)
    try:
        extension = importlib.import_module("ml_dtypes")
    except ModuleNotFoundError as error:
        raise MalformedProgramError(
            f"numpy has no element type {element.value}; install the package ml_dtypes, which adds it"
        ) from error
    dtype: np.dtype[np.generic] = np.dtype(getattr(extension, name))
    return dtype


def element_of(dtype: np.dtype[np.generic]) -> ElementType:
    """The element type of a numpy dtype.

    Raises:
        MalformedProgramError: If no element type corresponds, as for text or dates.
    """
    element = _ELEMENTS.get(dtype.name)
    if element is None:
        raise MalformedProgramError(
            f"an array of dtype {dtype} cannot be sent; the element types are {', '.join(ElementType)}"
        )
    return element


def parse_element(text: str) -> ElementType:
    """Reads an element type from `f64`, or from numpy's name `float64`.

    Raises:
        MalformedProgramError: If there is none of this name.
    """
    if text in _ALIASES:
        return _ALIASES[text]
    try:
        return ElementType(text)
    except ValueError as error:
        raise MalformedProgramError(
            f"{text!r} is no element type; the element types are {', '.join(ElementType)}"
        ) from error
