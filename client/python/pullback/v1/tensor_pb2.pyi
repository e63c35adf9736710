from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ElementType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ELEMENT_TYPE_UNSPECIFIED: _ClassVar[ElementType]
    ELEMENT_TYPE_I1: _ClassVar[ElementType]
    ELEMENT_TYPE_I4: _ClassVar[ElementType]
    ELEMENT_TYPE_I8: _ClassVar[ElementType]
    ELEMENT_TYPE_I16: _ClassVar[ElementType]
    ELEMENT_TYPE_I32: _ClassVar[ElementType]
    ELEMENT_TYPE_I64: _ClassVar[ElementType]
    ELEMENT_TYPE_UI4: _ClassVar[ElementType]
    ELEMENT_TYPE_UI8: _ClassVar[ElementType]
    ELEMENT_TYPE_UI16: _ClassVar[ElementType]
    ELEMENT_TYPE_UI32: _ClassVar[ElementType]
    ELEMENT_TYPE_UI64: _ClassVar[ElementType]
    ELEMENT_TYPE_F16: _ClassVar[ElementType]
    ELEMENT_TYPE_BF16: _ClassVar[ElementType]
    ELEMENT_TYPE_F32: _ClassVar[ElementType]
    ELEMENT_TYPE_F64: _ClassVar[ElementType]
    ELEMENT_TYPE_C64: _ClassVar[ElementType]
    ELEMENT_TYPE_C128: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E4M3FN: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E5M2: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E4M3B11FNUZ: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E4M3FNUZ: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E5M2FNUZ: _ClassVar[ElementType]
    ELEMENT_TYPE_I2: _ClassVar[ElementType]
    ELEMENT_TYPE_UI2: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E3M4: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E4M3: _ClassVar[ElementType]
    ELEMENT_TYPE_F8E8M0FNU: _ClassVar[ElementType]
    ELEMENT_TYPE_F4E2M1FN: _ClassVar[ElementType]
ELEMENT_TYPE_UNSPECIFIED: ElementType
ELEMENT_TYPE_I1: ElementType
ELEMENT_TYPE_I4: ElementType
ELEMENT_TYPE_I8: ElementType
ELEMENT_TYPE_I16: ElementType
ELEMENT_TYPE_I32: ElementType
ELEMENT_TYPE_I64: ElementType
ELEMENT_TYPE_UI4: ElementType
ELEMENT_TYPE_UI8: ElementType
ELEMENT_TYPE_UI16: ElementType
ELEMENT_TYPE_UI32: ElementType
ELEMENT_TYPE_UI64: ElementType
ELEMENT_TYPE_F16: ElementType
ELEMENT_TYPE_BF16: ElementType
ELEMENT_TYPE_F32: ElementType
ELEMENT_TYPE_F64: ElementType
ELEMENT_TYPE_C64: ElementType
ELEMENT_TYPE_C128: ElementType
ELEMENT_TYPE_F8E4M3FN: ElementType
ELEMENT_TYPE_F8E5M2: ElementType
ELEMENT_TYPE_F8E4M3B11FNUZ: ElementType
ELEMENT_TYPE_F8E4M3FNUZ: ElementType
ELEMENT_TYPE_F8E5M2FNUZ: ElementType
ELEMENT_TYPE_I2: ElementType
ELEMENT_TYPE_UI2: ElementType
ELEMENT_TYPE_F8E3M4: ElementType
ELEMENT_TYPE_F8E4M3: ElementType
ELEMENT_TYPE_F8E8M0FNU: ElementType
ELEMENT_TYPE_F4E2M1FN: ElementType

class TensorType(_message.Message):
    __slots__ = ("element_type", "shape", "symbols")
    ELEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    SYMBOLS_FIELD_NUMBER: _ClassVar[int]
    element_type: ElementType
    shape: _containers.RepeatedScalarFieldContainer[int]
    symbols: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, element_type: _Optional[_Union[ElementType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., symbols: _Optional[_Iterable[str]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("element_type", "shape", "data", "shared")
    ELEMENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    element_type: ElementType
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    shared: SharedMemory
    def __init__(self, element_type: _Optional[_Union[ElementType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ..., shared: _Optional[_Union[SharedMemory, _Mapping]] = ...) -> None: ...

class SharedMemory(_message.Message):
    __slots__ = ("segment", "offset", "length")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    segment: int
    offset: int
    length: int
    def __init__(self, segment: _Optional[int] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...
