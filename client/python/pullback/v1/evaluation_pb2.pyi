from google.protobuf import duration_pb2 as _duration_pb2
from pullback.v1 import errors_pb2 as _errors_pb2
from pullback.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Quantity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUANTITY_UNSPECIFIED: _ClassVar[Quantity]
    QUANTITY_VALUE: _ClassVar[Quantity]
    QUANTITY_GRADIENT: _ClassVar[Quantity]
    QUANTITY_JACOBIAN: _ClassVar[Quantity]
    QUANTITY_HESSIAN: _ClassVar[Quantity]
    QUANTITY_JVP: _ClassVar[Quantity]
    QUANTITY_VJP: _ClassVar[Quantity]
    QUANTITY_HVP: _ClassVar[Quantity]
    QUANTITY_DERIVATIVE: _ClassVar[Quantity]
    QUANTITY_GGN_VP: _ClassVar[Quantity]
    QUANTITY_HESSIAN_DIAG: _ClassVar[Quantity]
    QUANTITY_LAPLACIAN: _ClassVar[Quantity]

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_FORWARD: _ClassVar[Mode]
    MODE_REVERSE: _ClassVar[Mode]
QUANTITY_UNSPECIFIED: Quantity
QUANTITY_VALUE: Quantity
QUANTITY_GRADIENT: Quantity
QUANTITY_JACOBIAN: Quantity
QUANTITY_HESSIAN: Quantity
QUANTITY_JVP: Quantity
QUANTITY_VJP: Quantity
QUANTITY_HVP: Quantity
QUANTITY_DERIVATIVE: Quantity
QUANTITY_GGN_VP: Quantity
QUANTITY_HESSIAN_DIAG: Quantity
QUANTITY_LAPLACIAN: Quantity
MODE_UNSPECIFIED: Mode
MODE_FORWARD: Mode
MODE_REVERSE: Mode

class Want(_message.Message):
    __slots__ = ("quantity", "mode", "order", "argnums", "modes", "directions", "sparse")
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ARGNUMS_FIELD_NUMBER: _ClassVar[int]
    MODES_FIELD_NUMBER: _ClassVar[int]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    quantity: Quantity
    mode: Mode
    order: int
    argnums: _containers.RepeatedScalarFieldContainer[int]
    modes: _containers.RepeatedScalarFieldContainer[Mode]
    directions: int
    sparse: bool
    def __init__(self, quantity: _Optional[_Union[Quantity, str]] = ..., mode: _Optional[_Union[Mode, str]] = ..., order: _Optional[int] = ..., argnums: _Optional[_Iterable[int]] = ..., modes: _Optional[_Iterable[_Union[Mode, str]]] = ..., directions: _Optional[int] = ..., sparse: bool = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("function", "wants", "arguments", "tangents", "cotangents", "results")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    TANGENTS_FIELD_NUMBER: _ClassVar[int]
    COTANGENTS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    function: str
    wants: _containers.RepeatedCompositeFieldContainer[Want]
    arguments: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Tensor]
    tangents: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Tensor]
    cotangents: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Tensor]
    results: _tensor_pb2.SharedMemory
    def __init__(self, function: _Optional[str] = ..., wants: _Optional[_Iterable[_Union[Want, _Mapping]]] = ..., arguments: _Optional[_Iterable[_Union[_tensor_pb2.Tensor, _Mapping]]] = ..., tangents: _Optional[_Iterable[_Union[_tensor_pb2.Tensor, _Mapping]]] = ..., cotangents: _Optional[_Iterable[_Union[_tensor_pb2.Tensor, _Mapping]]] = ..., results: _Optional[_Union[_tensor_pb2.SharedMemory, _Mapping]] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("revision", "timing", "results")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    revision: str
    timing: Timing
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, revision: _Optional[str] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("total", "compile", "execute", "queue", "batch", "padding")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    COMPILE_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    total: _duration_pb2.Duration
    compile: _duration_pb2.Duration
    execute: _duration_pb2.Duration
    queue: _duration_pb2.Duration
    batch: int
    padding: int
    def __init__(self, total: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., compile: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., execute: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., queue: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., batch: _Optional[int] = ..., padding: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("tensors",)
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Tensor]
    def __init__(self, tensors: _Optional[_Iterable[_Union[_tensor_pb2.Tensor, _Mapping]]] = ...) -> None: ...

class EvaluateStreamRequest(_message.Message):
    __slots__ = ("id", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: int
    request: EvaluateRequest
    def __init__(self, id: _Optional[int] = ..., request: _Optional[_Union[EvaluateRequest, _Mapping]] = ...) -> None: ...

class EvaluateStreamResponse(_message.Message):
    __slots__ = ("id", "response", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    response: EvaluateResponse
    error: _errors_pb2.Status
    def __init__(self, id: _Optional[int] = ..., response: _Optional[_Union[EvaluateResponse, _Mapping]] = ..., error: _Optional[_Union[_errors_pb2.Status, _Mapping]] = ...) -> None: ...

class CompileRequest(_message.Message):
    __slots__ = ("function", "wants", "batch", "shared_leaves", "sizes")
    class SizesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    SHARED_LEAVES_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    function: str
    wants: _containers.RepeatedCompositeFieldContainer[Want]
    batch: int
    shared_leaves: _containers.RepeatedScalarFieldContainer[int]
    sizes: _containers.ScalarMap[str, int]
    def __init__(self, function: _Optional[str] = ..., wants: _Optional[_Iterable[_Union[Want, _Mapping]]] = ..., batch: _Optional[int] = ..., shared_leaves: _Optional[_Iterable[int]] = ..., sizes: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CompileResponse(_message.Message):
    __slots__ = ("state", "elapsed", "cached")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[CompileResponse.State]
        STATE_STARTED: _ClassVar[CompileResponse.State]
        STATE_READY: _ClassVar[CompileResponse.State]
    STATE_UNSPECIFIED: CompileResponse.State
    STATE_STARTED: CompileResponse.State
    STATE_READY: CompileResponse.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    state: CompileResponse.State
    elapsed: _duration_pb2.Duration
    cached: bool
    def __init__(self, state: _Optional[_Union[CompileResponse.State, str]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cached: bool = ...) -> None: ...
