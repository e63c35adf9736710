from pullback.v1 import evaluation_pb2 as _evaluation_pb2
from pullback.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCapabilitiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCapabilitiesResponse(_message.Message):
    __slots__ = ("server_version", "versions", "formats", "program_format_versions", "element_types", "quantities", "devices", "limits", "memory_address")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_FORMAT_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    QUANTITIES_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    versions: _containers.ScalarMap[str, str]
    formats: _containers.RepeatedScalarFieldContainer[str]
    program_format_versions: _containers.RepeatedScalarFieldContainer[int]
    element_types: _containers.RepeatedScalarFieldContainer[_tensor_pb2.ElementType]
    quantities: _containers.RepeatedScalarFieldContainer[_evaluation_pb2.Quantity]
    devices: _containers.RepeatedCompositeFieldContainer[Device]
    limits: Limits
    memory_address: str
    def __init__(self, server_version: _Optional[str] = ..., versions: _Optional[_Mapping[str, str]] = ..., formats: _Optional[_Iterable[str]] = ..., program_format_versions: _Optional[_Iterable[int]] = ..., element_types: _Optional[_Iterable[_Union[_tensor_pb2.ElementType, str]]] = ..., quantities: _Optional[_Iterable[_Union[_evaluation_pb2.Quantity, str]]] = ..., devices: _Optional[_Iterable[_Union[Device, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., memory_address: _Optional[str] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("platform", "kind", "ordinal", "confined")
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    CONFINED_FIELD_NUMBER: _ClassVar[int]
    platform: str
    kind: str
    ordinal: int
    confined: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, platform: _Optional[str] = ..., kind: _Optional[str] = ..., ordinal: _Optional[int] = ..., confined: _Optional[_Iterable[str]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("message_bytes", "program_bytes", "derivative_order", "batch", "in_flight", "constant_bytes")
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROGRAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    DERIVATIVE_ORDER_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_BYTES_FIELD_NUMBER: _ClassVar[int]
    message_bytes: int
    program_bytes: int
    derivative_order: int
    batch: int
    in_flight: int
    constant_bytes: int
    def __init__(self, message_bytes: _Optional[int] = ..., program_bytes: _Optional[int] = ..., derivative_order: _Optional[int] = ..., batch: _Optional[int] = ..., in_flight: _Optional[int] = ..., constant_bytes: _Optional[int] = ...) -> None: ...
