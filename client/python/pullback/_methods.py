"""The methods of the API, called by path: how each request is written and each response read.

Serializers stand here and nowhere else; those of messages that carry tensors are `pullback.codec`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pullback._descriptions import Health
from pullback.codec.evaluation import Response, decode_response, decode_stream_response
from pullback.memory.allocation import LARGE, keep_blocks_of_messages
from pullback.v1 import administration_pb2, capabilities_pb2, evaluation_pb2, functions_pb2, graphs_pb2

Sent = TypeVar("Sent")
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class Method(Generic[Sent, Got]):
    """One method.

    Attributes:
        path: Its path, `/{package}.{service}/{method}`.
        serialize: Writes a request.
        deserialize: Reads a response.
    """

    path: str
    serialize: Callable[[Sent], bytes]
    deserialize: Callable[[bytes], Got]


def _method(path: str, request: type[Any], response: type[Any]) -> Method[Any, Any]:
    return Method(f"/pullback.v1.{path}", request.SerializeToString, response.FromString)


def _read_health(data: bytes) -> Health:
    # HealthCheckResponse has one field, the status: field 1, an enum, left out when 0.
    return list(Health)[data[1]] if data else Health.UNKNOWN


def _read_response(data: bytes) -> Response:
    if len(data) > LARGE:
        keep_blocks_of_messages()
    return decode_response(data)


def _read_answer(data: bytes) -> tuple[int, Response | bytes]:
    if len(data) > LARGE:
        keep_blocks_of_messages()
    return decode_stream_response(data)


UPLOAD_PROGRAM: Final[Method[functions_pb2.UploadProgramRequest, functions_pb2.UploadProgramResponse]] = (
    _method(
        "FunctionService/UploadProgram",
        functions_pb2.UploadProgramRequest,
        functions_pb2.UploadProgramResponse,
    )
)
LIST_MISSING_CONSTANTS: Final[
    Method[functions_pb2.ListMissingConstantsRequest, functions_pb2.ListMissingConstantsResponse]
] = _method(
    "FunctionService/ListMissingConstants",
    functions_pb2.ListMissingConstantsRequest,
    functions_pb2.ListMissingConstantsResponse,
)
UPLOAD_CONSTANT: Final[Method[functions_pb2.UploadConstantRequest, functions_pb2.UploadConstantResponse]] = (
    _method(
        "FunctionService/UploadConstant",
        functions_pb2.UploadConstantRequest,
        functions_pb2.UploadConstantResponse,
    )
)
REGISTER_FUNCTION: Final[
    Method[functions_pb2.RegisterFunctionRequest, functions_pb2.RegisterFunctionResponse]
] = _method(
    "FunctionService/RegisterFunction",
    functions_pb2.RegisterFunctionRequest,
    functions_pb2.RegisterFunctionResponse,
)
GET_FUNCTION: Final[Method[functions_pb2.GetFunctionRequest, functions_pb2.GetFunctionResponse]] = _method(
    "FunctionService/GetFunction", functions_pb2.GetFunctionRequest, functions_pb2.GetFunctionResponse
)
LIST_FUNCTIONS: Final[Method[functions_pb2.ListFunctionsRequest, functions_pb2.ListFunctionsResponse]] = (
    _method(
        "FunctionService/ListFunctions",
        functions_pb2.ListFunctionsRequest,
        functions_pb2.ListFunctionsResponse,
    )
)
DELETE_FUNCTION: Final[Method[functions_pb2.DeleteFunctionRequest, functions_pb2.DeleteFunctionResponse]] = (
    _method(
        "FunctionService/DeleteFunction",
        functions_pb2.DeleteFunctionRequest,
        functions_pb2.DeleteFunctionResponse,
    )
)
GRANT_FUNCTION: Final[Method[functions_pb2.GrantFunctionRequest, functions_pb2.GrantFunctionResponse]] = (
    _method(
        "FunctionService/GrantFunction",
        functions_pb2.GrantFunctionRequest,
        functions_pb2.GrantFunctionResponse,
    )
)
REVOKE_FUNCTION: Final[Method[functions_pb2.RevokeFunctionRequest, functions_pb2.RevokeFunctionResponse]] = (
    _method(
        "FunctionService/RevokeFunction",
        functions_pb2.RevokeFunctionRequest,
        functions_pb2.RevokeFunctionResponse,
    )
)
# Requests are written where the arrays that they are made of cannot change any more: before the call.
EVALUATE: Final[Method[bytes, Response]] = Method(
    "/pullback.v1.EvaluationService/Evaluate", bytes, _read_response
)
EVALUATE_STREAM: Final[Method[bytes, tuple[int, Response | bytes]]] = Method(
    "/pullback.v1.EvaluationService/EvaluateStream", bytes, _read_answer
)
COMPILE: Final[Method[evaluation_pb2.CompileRequest, evaluation_pb2.CompileResponse]] = _method(
    "EvaluationService/Compile", evaluation_pb2.CompileRequest, evaluation_pb2.CompileResponse
)
GET_GRAPH: Final[Method[graphs_pb2.GetGraphRequest, graphs_pb2.GetGraphResponse]] = _method(
    "GraphService/GetGraph", graphs_pb2.GetGraphRequest, graphs_pb2.GetGraphResponse
)
GET_CAPABILITIES: Final[
    Method[capabilities_pb2.GetCapabilitiesRequest, capabilities_pb2.GetCapabilitiesResponse]
] = _method(
    "CapabilitiesService/GetCapabilities",
    capabilities_pb2.GetCapabilitiesRequest,
    capabilities_pb2.GetCapabilitiesResponse,
)
GET_STATUS: Final[Method[administration_pb2.GetStatusRequest, administration_pb2.GetStatusResponse]] = (
    _method(
        "AdministrationService/GetStatus",
        administration_pb2.GetStatusRequest,
        administration_pb2.GetStatusResponse,
    )
)
LIST_REQUESTS: Final[
    Method[administration_pb2.ListRequestsRequest, administration_pb2.ListRequestsResponse]
] = _method(
    "AdministrationService/ListRequests",
    administration_pb2.ListRequestsRequest,
    administration_pb2.ListRequestsResponse,
)
LIST_TENANTS: Final[Method[administration_pb2.ListTenantsRequest, administration_pb2.ListTenantsResponse]] = (
    _method(
        "AdministrationService/ListTenants",
        administration_pb2.ListTenantsRequest,
        administration_pb2.ListTenantsResponse,
    )
)
LIST_QUARANTINE: Final[
    Method[administration_pb2.ListQuarantineRequest, administration_pb2.ListQuarantineResponse]
] = _method(
    "AdministrationService/ListQuarantine",
    administration_pb2.ListQuarantineRequest,
    administration_pb2.ListQuarantineResponse,
)
CLEAR_QUARANTINE: Final[
    Method[administration_pb2.ClearQuarantineRequest, administration_pb2.ClearQuarantineResponse]
] = _method(
    "AdministrationService/ClearQuarantine",
    administration_pb2.ClearQuarantineRequest,
    administration_pb2.ClearQuarantineResponse,
)
COLLECT_GARBAGE: Final[
    Method[administration_pb2.CollectGarbageRequest, administration_pb2.CollectGarbageResponse]
] = _method(
    "AdministrationService/CollectGarbage",
    administration_pb2.CollectGarbageRequest,
    administration_pb2.CollectGarbageResponse,
)
ADOPT_FUNCTIONS: Final[
    Method[administration_pb2.AdoptFunctionsRequest, administration_pb2.AdoptFunctionsResponse]
] = _method(
    "AdministrationService/AdoptFunctions",
    administration_pb2.AdoptFunctionsRequest,
    administration_pb2.AdoptFunctionsResponse,
)
EXPORT_REGISTRY: Final[
    Method[administration_pb2.ExportRegistryRequest, administration_pb2.ExportRegistryResponse]
] = _method(
    "AdministrationService/ExportRegistry",
    administration_pb2.ExportRegistryRequest,
    administration_pb2.ExportRegistryResponse,
)
IMPORT_REGISTRY: Final[
    Method[administration_pb2.ImportRegistryRequest, administration_pb2.ImportRegistryResponse]
] = _method(
    "AdministrationService/ImportRegistry",
    administration_pb2.ImportRegistryRequest,
    administration_pb2.ImportRegistryResponse,
)
# grpc.health.v1, whose two messages are small enough to need no generated classes; b"" asks for the whole
# server.
HEALTH_CHECK: Final[Method[bytes, Health]] = Method("/grpc.health.v1.Health/Check", bytes, _read_health)
