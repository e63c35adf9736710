"""ONNX's element types, as ours."""

from __future__ import annotations

from typing import Final

from onnx import TensorProto

from pullback.program.elements import ElementType
from pullback_server.compute.formats.onnx.failures import unsupported

_ELEMENTS: Final = {
    TensorProto.BOOL: ElementType.I1,
    TensorProto.INT2: ElementType.I2,
    TensorProto.INT4: ElementType.I4,
    TensorProto.INT8: ElementType.I8,
    TensorProto.INT16: ElementType.I16,
    TensorProto.INT32: ElementType.I32,
    TensorProto.INT64: ElementType.I64,
    TensorProto.UINT2: ElementType.UI2,
    TensorProto.UINT4: ElementType.UI4,
    TensorProto.UINT8: ElementType.UI8,
    TensorProto.UINT16: ElementType.UI16,
    TensorProto.UINT32: ElementType.UI32,
    TensorProto.UINT64: ElementType.UI64,
    TensorProto.FLOAT16: ElementType.F16,
    TensorProto.BFLOAT16: ElementType.BF16,
    TensorProto.FLOAT: ElementType.F32,
    TensorProto.DOUBLE: ElementType.F64,
    TensorProto.COMPLEX64: ElementType.C64,
    TensorProto.COMPLEX128: ElementType.C128,
    TensorProto.FLOAT8E4M3FN: ElementType.F8E4M3FN,
    TensorProto.FLOAT8E4M3FNUZ: ElementType.F8E4M3FNUZ,
    TensorProto.FLOAT8E5M2: ElementType.F8E5M2,
    TensorProto.FLOAT8E5M2FNUZ: ElementType.F8E5M2FNUZ,
    TensorProto.FLOAT4E2M1: ElementType.F4E2M1FN,
}
_NUMBERS: Final = {element: number for number, element in _ELEMENTS.items()}


def element_of(number: int) -> ElementType:
    """The element type of ONNX's number for it.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if we have none, as for text.
    """
    for known, element in _ELEMENTS.items():
        if known == number:
            return element
    names = {value: name for name, value in TensorProto.DataType.items()}
    raise unsupported(
        f"element type {names.get(number, number)}",
        "is not served",
        f"use one of {', '.join(names[known] for known in _ELEMENTS)}",
    )


def number_of(element: ElementType) -> int:
    """ONNX's number for an element type that it has."""
    return int(_NUMBERS[element])
