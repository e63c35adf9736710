from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListTenantsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTenantsResponse(_message.Message):
    __slots__ = ("tenants",)
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedCompositeFieldContainer[Tenant]
    def __init__(self, tenants: _Optional[_Iterable[_Union[Tenant, _Mapping]]] = ...) -> None: ...

class Tenant(_message.Message):
    __slots__ = ("name", "functions", "stored_bytes", "in_flight", "requests", "device_time", "max_functions", "max_stored_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    functions: int
    stored_bytes: int
    in_flight: int
    requests: int
    device_time: _duration_pb2.Duration
    max_functions: int
    max_stored_bytes: int
    def __init__(self, name: _Optional[str] = ..., functions: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., in_flight: _Optional[int] = ..., requests: _Optional[int] = ..., device_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_functions: _Optional[int] = ..., max_stored_bytes: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("window", "max_rows")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_ROWS_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    max_rows: int
    def __init__(self, window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_rows: _Optional[int] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("server_version", "uptime", "draining", "in_flight", "open_calls", "request_bytes", "result_bytes", "workers", "window", "total", "functions", "tenants", "failures")
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    OPEN_CALLS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESULT_BYTES_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    uptime: _duration_pb2.Duration
    draining: bool
    in_flight: int
    open_calls: int
    request_bytes: int
    result_bytes: int
    workers: _containers.RepeatedCompositeFieldContainer[WorkerStatus]
    window: _duration_pb2.Duration
    total: Activity
    functions: _containers.RepeatedCompositeFieldContainer[Activity]
    tenants: _containers.RepeatedCompositeFieldContainer[Activity]
    failures: _containers.RepeatedCompositeFieldContainer[RecordedRequest]
    def __init__(self, server_version: _Optional[str] = ..., uptime: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., draining: bool = ..., in_flight: _Optional[int] = ..., open_calls: _Optional[int] = ..., request_bytes: _Optional[int] = ..., result_bytes: _Optional[int] = ..., workers: _Optional[_Iterable[_Union[WorkerStatus, _Mapping]]] = ..., window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., total: _Optional[_Union[Activity, _Mapping]] = ..., functions: _Optional[_Iterable[_Union[Activity, _Mapping]]] = ..., tenants: _Optional[_Iterable[_Union[Activity, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[RecordedRequest, _Mapping]]] = ...) -> None: ...

class WorkerStatus(_message.Message):
    __slots__ = ("name", "state", "process", "in_flight", "deaths", "memory_bytes", "runs", "busy", "compilations")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    DEATHS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    COMPILATIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: str
    process: int
    in_flight: int
    deaths: int
    memory_bytes: int
    runs: int
    busy: _duration_pb2.Duration
    compilations: int
    def __init__(self, name: _Optional[str] = ..., state: _Optional[str] = ..., process: _Optional[int] = ..., in_flight: _Optional[int] = ..., deaths: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., runs: _Optional[int] = ..., busy: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., compilations: _Optional[int] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("tenant", "function", "derivative", "count", "failed", "rate", "median", "nearly_all", "queue")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    DERIVATIVE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    NEARLY_ALL_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    function: str
    derivative: str
    count: int
    failed: int
    rate: float
    median: _duration_pb2.Duration
    nearly_all: _duration_pb2.Duration
    queue: _duration_pb2.Duration
    def __init__(self, tenant: _Optional[str] = ..., function: _Optional[str] = ..., derivative: _Optional[str] = ..., count: _Optional[int] = ..., failed: _Optional[int] = ..., rate: _Optional[float] = ..., median: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., nearly_all: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., queue: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListRequestsRequest(_message.Message):
    __slots__ = ("page_size", "tenant", "failed")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    tenant: str
    failed: bool
    def __init__(self, page_size: _Optional[int] = ..., tenant: _Optional[str] = ..., failed: bool = ...) -> None: ...

class ListRequestsResponse(_message.Message):
    __slots__ = ("in_hand", "recent")
    IN_HAND_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    in_hand: _containers.RepeatedCompositeFieldContainer[RecordedRequest]
    recent: _containers.RepeatedCompositeFieldContainer[RecordedRequest]
    def __init__(self, in_hand: _Optional[_Iterable[_Union[RecordedRequest, _Mapping]]] = ..., recent: _Optional[_Iterable[_Union[RecordedRequest, _Mapping]]] = ...) -> None: ...

class RecordedRequest(_message.Message):
    __slots__ = ("begin_time", "request_id", "tenant", "function", "derivative", "points", "duration", "queue", "compile", "execute", "reason", "worker")
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    DERIVATIVE_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    COMPILE_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    begin_time: _timestamp_pb2.Timestamp
    request_id: str
    tenant: str
    function: str
    derivative: str
    points: int
    duration: _duration_pb2.Duration
    queue: _duration_pb2.Duration
    compile: _duration_pb2.Duration
    execute: _duration_pb2.Duration
    reason: str
    worker: str
    def __init__(self, begin_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., function: _Optional[str] = ..., derivative: _Optional[str] = ..., points: _Optional[int] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., queue: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., compile: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., execute: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., worker: _Optional[str] = ...) -> None: ...

class ListQuarantineRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListQuarantineResponse(_message.Message):
    __slots__ = ("programs",)
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    programs: _containers.RepeatedCompositeFieldContainer[QuarantinedProgram]
    def __init__(self, programs: _Optional[_Iterable[_Union[QuarantinedProgram, _Mapping]]] = ...) -> None: ...

class QuarantinedProgram(_message.Message):
    __slots__ = ("digest", "deaths", "cause", "death_time", "revisions")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DEATHS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DEATH_TIME_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    digest: str
    deaths: int
    cause: str
    death_time: _timestamp_pb2.Timestamp
    revisions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, digest: _Optional[str] = ..., deaths: _Optional[int] = ..., cause: _Optional[str] = ..., death_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., revisions: _Optional[_Iterable[str]] = ...) -> None: ...

class ClearQuarantineRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class ClearQuarantineResponse(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class CollectGarbageRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CollectGarbageResponse(_message.Message):
    __slots__ = ("uploads", "blobs", "bytes")
    UPLOADS_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    uploads: int
    blobs: int
    bytes: int
    def __init__(self, uploads: _Optional[int] = ..., blobs: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class AdoptFunctionsRequest(_message.Message):
    __slots__ = ("tenant", "functions")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    functions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., functions: _Optional[_Iterable[str]] = ...) -> None: ...

class AdoptFunctionsResponse(_message.Message):
    __slots__ = ("adopted", "left")
    ADOPTED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    adopted: _containers.RepeatedScalarFieldContainer[str]
    left: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, adopted: _Optional[_Iterable[str]] = ..., left: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportRegistryRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExportRegistryResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class ImportRegistryRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class ImportRegistryResponse(_message.Message):
    __slots__ = ("functions", "changed", "blobs", "bytes")
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    functions: int
    changed: int
    blobs: int
    bytes: int
    def __init__(self, functions: _Optional[int] = ..., changed: _Optional[int] = ..., blobs: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...
