from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_MALFORMED_REQUEST: _ClassVar[Reason]
    REASON_SHAPE_MISMATCH: _ClassVar[Reason]
    REASON_ELEMENT_TYPE_MISMATCH: _ClassVar[Reason]
    REASON_ARGUMENT_COUNT_MISMATCH: _ClassVar[Reason]
    REASON_INVALID_ARGNUMS: _ClassVar[Reason]
    REASON_DERIVATIVE_UNDEFINED: _ClassVar[Reason]
    REASON_MALFORMED_PROGRAM: _ClassVar[Reason]
    REASON_FORMULA_ERROR: _ClassVar[Reason]
    REASON_UNSUPPORTED_OPERATION: _ClassVar[Reason]
    REASON_DIGEST_MISMATCH: _ClassVar[Reason]
    REASON_FUNCTION_NOT_FOUND: _ClassVar[Reason]
    REASON_REVISION_NOT_FOUND: _ClassVar[Reason]
    REASON_PROGRAM_NOT_FOUND: _ClassVar[Reason]
    REASON_STORED_PROGRAM_DAMAGED: _ClassVar[Reason]
    REASON_LIMIT_EXCEEDED: _ClassVar[Reason]
    REASON_OVERLOADED: _ClassVar[Reason]
    REASON_NOT_READY: _ClassVar[Reason]
    REASON_WORKER_DIED: _ClassVar[Reason]
    REASON_COMPILATION_FAILED: _ClassVar[Reason]
    REASON_EXECUTION_FAILED: _ClassVar[Reason]
    REASON_INTERNAL: _ClassVar[Reason]
    REASON_CONCURRENT_REGISTRATION: _ClassVar[Reason]
    REASON_CONSTANT_NOT_FOUND: _ClassVar[Reason]
    REASON_SEGMENT_NOT_FOUND: _ClassVar[Reason]
    REASON_UNAUTHENTICATED: _ClassVar[Reason]
    REASON_PERMISSION_DENIED: _ClassVar[Reason]
    REASON_QUARANTINED: _ClassVar[Reason]
    REASON_DEADLINE_EXCEEDED: _ClassVar[Reason]
    REASON_RUN_TIME_EXCEEDED: _ClassVar[Reason]
    REASON_COMPILE_TIME_EXCEEDED: _ClassVar[Reason]
    REASON_PROGRAM_TOO_LARGE: _ClassVar[Reason]
    REASON_TOO_MANY_OPERATIONS: _ClassVar[Reason]
    REASON_NESTING_TOO_DEEP: _ClassVar[Reason]
    REASON_CONSTANTS_TOO_LARGE: _ClassVar[Reason]
    REASON_TOO_MANY_INPUTS: _ClassVar[Reason]
    REASON_BATCH_TOO_LARGE: _ClassVar[Reason]
    REASON_MESSAGE_TOO_LARGE: _ClassVar[Reason]
    REASON_RESULT_TOO_LARGE: _ClassVar[Reason]
    REASON_DEVICE_MEMORY_EXCEEDED: _ClassVar[Reason]
    REASON_ORDER_TOO_HIGH: _ClassVar[Reason]
    REASON_TENANT_FULL: _ClassVar[Reason]
    REASON_TENANT_OVERLOADED: _ClassVar[Reason]
    REASON_RATE_LIMITED: _ClassVar[Reason]
    REASON_STORAGE_FULL: _ClassVar[Reason]
    REASON_TENANT_NOT_FOUND: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_MALFORMED_REQUEST: Reason
REASON_SHAPE_MISMATCH: Reason
REASON_ELEMENT_TYPE_MISMATCH: Reason
REASON_ARGUMENT_COUNT_MISMATCH: Reason
REASON_INVALID_ARGNUMS: Reason
REASON_DERIVATIVE_UNDEFINED: Reason
REASON_MALFORMED_PROGRAM: Reason
REASON_FORMULA_ERROR: Reason
REASON_UNSUPPORTED_OPERATION: Reason
REASON_DIGEST_MISMATCH: Reason
REASON_FUNCTION_NOT_FOUND: Reason
REASON_REVISION_NOT_FOUND: Reason
REASON_PROGRAM_NOT_FOUND: Reason
REASON_STORED_PROGRAM_DAMAGED: Reason
REASON_LIMIT_EXCEEDED: Reason
REASON_OVERLOADED: Reason
REASON_NOT_READY: Reason
REASON_WORKER_DIED: Reason
REASON_COMPILATION_FAILED: Reason
REASON_EXECUTION_FAILED: Reason
REASON_INTERNAL: Reason
REASON_CONCURRENT_REGISTRATION: Reason
REASON_CONSTANT_NOT_FOUND: Reason
REASON_SEGMENT_NOT_FOUND: Reason
REASON_UNAUTHENTICATED: Reason
REASON_PERMISSION_DENIED: Reason
REASON_QUARANTINED: Reason
REASON_DEADLINE_EXCEEDED: Reason
REASON_RUN_TIME_EXCEEDED: Reason
REASON_COMPILE_TIME_EXCEEDED: Reason
REASON_PROGRAM_TOO_LARGE: Reason
REASON_TOO_MANY_OPERATIONS: Reason
REASON_NESTING_TOO_DEEP: Reason
REASON_CONSTANTS_TOO_LARGE: Reason
REASON_TOO_MANY_INPUTS: Reason
REASON_BATCH_TOO_LARGE: Reason
REASON_MESSAGE_TOO_LARGE: Reason
REASON_RESULT_TOO_LARGE: Reason
REASON_DEVICE_MEMORY_EXCEEDED: Reason
REASON_ORDER_TOO_HIGH: Reason
REASON_TENANT_FULL: Reason
REASON_TENANT_OVERLOADED: Reason
REASON_RATE_LIMITED: Reason
REASON_STORAGE_FULL: Reason
REASON_TENANT_NOT_FOUND: Reason

class Status(_message.Message):
    __slots__ = ("code", "message", "details")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ...) -> None: ...

class ErrorInfo(_message.Message):
    __slots__ = ("reason", "domain", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: str
    domain: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., domain: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RetryInfo(_message.Message):
    __slots__ = ("retry_delay",)
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    retry_delay: _duration_pb2.Duration
    def __init__(self, retry_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...
