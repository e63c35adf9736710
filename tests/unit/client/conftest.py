"""A real gRPC server in this process, whose one function is the sum of x**2 over f64[3].

What the twins share is tested without it; here are only the calls themselves: pages, uploads, retries,
streams, errors. It fails as often as a test tells it to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.any_pb2 import Any as Detail
from google.protobuf.duration_pb2 import Duration

from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_from_bytes, signature_to_wire
from pullback.v1 import capabilities_pb2, errors_pb2, evaluation_pb2, functions_pb2, tensor_pb2

SIGNATURE = Signature(
    (Argument("x", LEAF, (parse_tensor_type("f64[3]"),)),), Result(LEAF, (parse_tensor_type("f64[]"),))
)
PROGRAM = Program(Formula("sum(x**2)"), SIGNATURE)


class Refusal(Exception):  # noqa: N818 -- an answer, not an error of the test
    """A call that is refused with this code, reason and delay."""

    def __init__(self, code: grpc.StatusCode, reason: str, delay: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        info = errors_pb2.ErrorInfo(reason=reason, domain="pullback.dev")
        details = [
            Detail(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
        ]
        if delay is not None:
            retry = errors_pb2.RetryInfo(retry_delay=Duration(nanos=round(delay * 1e9)))
            details.append(
                Detail(type_url="type.googleapis.com/google.rpc.RetryInfo", value=retry.SerializeToString())
            )
        self.status = errors_pb2.Status(code=code.value[0], message=f"refused: {reason}", details=details)


def tensor_of(array: np.ndarray[Any, Any]) -> tensor_pb2.Tensor:
    """The message of an array of f64."""
    return tensor_pb2.Tensor(
        element_type=tensor_pb2.ELEMENT_TYPE_F64, shape=array.shape, data=array.tobytes()
    )


class Served:
    """The server's state, and what it was asked."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.calls: list[str] = []
        self.ended: list[str] = []
        self.ids: dict[str, list[str]] = {}
        self.points: list[int | None] = []
        self.uploads: dict[str, bytes] = {}
        self.registered: list[functions_pb2.RegisterFunctionRequest] = []
        self.deleted: list[str] = []
        self.breaks: list[int] = []
        self.streamed: list[int] = []
        self.hold = threading.Event()
        self.hold.set()

    def refuse(self, code: str, reason: str, delay: float | None = None, times: int = 1) -> None:
        """Lets the next calls fail."""
        self.refusals += [Refusal(grpc.StatusCode[code], reason, delay)] * times

    def get(self, request: functions_pb2.GetFunctionRequest) -> functions_pb2.GetFunctionResponse:
        """Knows one function."""
        if request.name.split("/")[1] != "squares":
            raise Refusal(grpc.StatusCode.NOT_FOUND, "FUNCTION_NOT_FOUND")
        return functions_pb2.GetFunctionResponse(function=self.function("squares"))

    def function(self, name: str) -> functions_pb2.Function:
        """The function under any name."""
        revision = f"functions/{name}/revisions/{digest(PROGRAM)}"
        return functions_pb2.Function(
            name=f"functions/{name}",
            revision=revision,
            signature=signature_to_wire(SIGNATURE),
            format="formula",
        )

    def register(
        self, request: functions_pb2.RegisterFunctionRequest
    ) -> functions_pb2.RegisterFunctionResponse:
        """Takes any program that is there."""
        if request.program_digest and request.program_digest not in self.uploads:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "PROGRAM_NOT_FOUND")
        self.registered.append(request)
        return functions_pb2.RegisterFunctionResponse(function=self.function(request.name.split("/")[1]))

    def upload(
        self, requests: Iterator[functions_pb2.UploadProgramRequest]
    ) -> functions_pb2.UploadProgramResponse:
        """Keeps what it can read."""
        chunks = list(requests)
        data = b"".join(chunk.chunk for chunk in chunks)
        assert digest(program_from_bytes(data)) == chunks[0].digest
        self.uploads[chunks[0].digest] = data
        return functions_pb2.UploadProgramResponse(digest=chunks[0].digest)

    def list_functions(
        self, request: functions_pb2.ListFunctionsRequest
    ) -> functions_pb2.ListFunctionsResponse:
        """Five functions, two on a page; with labels, none."""
        if request.labels:
            return functions_pb2.ListFunctionsResponse()
        start = int(request.page_token or 0)
        names = [f"f{number}" for number in range(5)][start : start + 2]
        token = str(start + 2) if start + 2 < 5 else ""
        return functions_pb2.ListFunctionsResponse(functions=map(self.function, names), next_page_token=token)

    def delete(self, request: functions_pb2.DeleteFunctionRequest) -> functions_pb2.DeleteFunctionResponse:
        """Notes the name."""
        self.deleted.append(request.name)
        return functions_pb2.DeleteFunctionResponse()

    def evaluate(self, request: evaluation_pb2.EvaluateRequest) -> evaluation_pb2.EvaluateResponse:
        """The value and the gradient of the sum of squares; a point that begins with -1 is refused."""
        self.hold.wait(10)
        (x,) = (np.frombuffer(each.data).reshape(each.shape) for each in request.arguments)
        self.points.append(len(x) if x.ndim > 1 else None)
        if -1.0 in x[..., 0]:
            raise Refusal(grpc.StatusCode.INTERNAL, "EXECUTION_FAILED")
        answers = {
            evaluation_pb2.QUANTITY_VALUE: np.sum(x**2, axis=-1),
            evaluation_pb2.QUANTITY_GRADIENT: 2 * x,
        }
        arrays = [np.asarray(answers[want.quantity]) for want in request.wants]
        results = [evaluation_pb2.Result(tensors=[tensor_of(array)]) for array in arrays]
        return evaluation_pb2.EvaluateResponse(revision=request.function, results=results)

    def evaluate_stream(
        self, requests: Iterator[evaluation_pb2.EvaluateStreamRequest]
    ) -> Iterator[evaluation_pb2.EvaluateStreamResponse]:
        """Answers two by two, the second first; a point that begins with -1 is refused.

        A test may have the next streams break, each after so many answers.
        """
        waiting: list[evaluation_pb2.EvaluateStreamRequest] = []
        answers = self.breaks.pop(0) if self.breaks else None
        for request in requests:
            self.hold.wait(10)
            waiting.append(request)
            if answers is not None and answers <= 0:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "NOT_READY")
            if len(waiting) == 2:
                answers = answers and answers - 2
                yield self.stream_answer(waiting.pop())
                yield self.stream_answer(waiting.pop())
        yield from map(self.stream_answer, waiting)

    def stream_answer(
        self, request: evaluation_pb2.EvaluateStreamRequest
    ) -> evaluation_pb2.EvaluateStreamResponse:
        """The answer to one request of a stream; of shared memory nothing is known here."""
        if request.request.arguments[0].HasField("shared"):
            unknown = Refusal(grpc.StatusCode.NOT_FOUND, "SEGMENT_NOT_FOUND")
            return evaluation_pb2.EvaluateStreamResponse(id=request.id, error=unknown.status)
        if np.frombuffer(request.request.arguments[0].data)[0] == -1.0:
            refusal = Refusal(grpc.StatusCode.INTERNAL, "EXECUTION_FAILED")
            return evaluation_pb2.EvaluateStreamResponse(id=request.id, error=refusal.status)
        response = self.evaluate(request.request)
        self.streamed += request.request.arguments[0].shape[:-1]
        return evaluation_pb2.EvaluateStreamResponse(id=request.id, response=response)

    def compile(self, request: evaluation_pb2.CompileRequest) -> Iterator[evaluation_pb2.CompileResponse]:
        """Two reports; the second says whether a batch was asked for, as if that had been cached."""
        states = evaluation_pb2.CompileResponse
        yield states(state=states.STATE_STARTED)
        elapsed = Duration(seconds=2, nanos=500_000_000)
        yield states(state=states.STATE_READY, elapsed=elapsed, cached=request.HasField("batch"))

    def capabilities(
        self, request: capabilities_pb2.GetCapabilitiesRequest
    ) -> capabilities_pb2.GetCapabilitiesResponse:
        """A small server."""
        del request
        return capabilities_pb2.GetCapabilitiesResponse(
            server_version="9",
            versions={"jax": "1"},
            devices=[capabilities_pb2.Device(platform="cpu", kind="a chip", ordinal=0)],
            quantities=[evaluation_pb2.QUANTITY_VALUE],
            limits=capabilities_pb2.Limits(batch=7),
        )

    def admit(self, method: str, context: grpc.ServicerContext) -> None:
        """Counts a call, now and at its end, and refuses it if the test asked for that."""
        ids = [str(value) for key, value in context.invocation_metadata() if key == "x-request-id"]
        self.ids.setdefault(method, []).extend(ids)
        context.add_callback(lambda: self.ended.append(method))
        self.calls.append(method)
        if self.refusals:
            self.abort(self.refusals.pop(0), context)

    def abort(self, refusal: Refusal, context: grpc.ServicerContext) -> None:
        """Ends a call with a refusal."""
        details = ("grpc-status-details-bin", refusal.status.SerializeToString())
        context.set_trailing_metadata((details, ("x-request-id", "42")))
        context.abort(refusal.code, refusal.status.message)


def _handlers(served: Served) -> list[grpc.GenericRpcHandler]:
    functions, evaluation = functions_pb2, evaluation_pb2
    unary, stream_unary = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
    unary_stream, stream_stream = grpc.unary_stream_rpc_method_handler, grpc.stream_stream_rpc_method_handler
    table: dict[str, dict[str, tuple[Any, Callable[..., Any], Any]]] = {
        "FunctionService": {
            "GetFunction": (unary, served.get, functions.GetFunctionRequest),
            "RegisterFunction": (unary, served.register, functions.RegisterFunctionRequest),
            "ListFunctions": (unary, served.list_functions, functions.ListFunctionsRequest),
            "DeleteFunction": (unary, served.delete, functions.DeleteFunctionRequest),
            "UploadProgram": (stream_unary, served.upload, functions.UploadProgramRequest),
        },
        "EvaluationService": {
            "Evaluate": (unary, served.evaluate, evaluation.EvaluateRequest),
            "EvaluateStream": (stream_stream, served.evaluate_stream, evaluation.EvaluateStreamRequest),
            "Compile": (unary_stream, served.compile, evaluation.CompileRequest),
        },
        "CapabilitiesService": {
            "GetCapabilities": (unary, served.capabilities, capabilities_pb2.GetCapabilitiesRequest)
        },
    }
    return [
        grpc.method_handlers_generic_handler(
            f"pullback.v1.{service}",
            {
                name: make(
                    _streaming(served, name, act)
                    if make in (unary_stream, stream_stream)
                    else _single(served, name, act),
                    request_deserializer=kind.FromString,
                    response_serializer=lambda message: message.SerializeToString(),
                )
                for name, (make, act, kind) in methods.items()
            },
        )
        for service, methods in table.items()
    ]


def _single(served: Served, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        served.admit(name, context)
        try:
            return act(request)
        except Refusal as refusal:
            served.abort(refusal, context)

    return answer


def _streaming(served: Served, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        served.admit(name, context)
        try:
            yield from act(request)
        except Refusal as refusal:
            served.abort(refusal, context)

    return answer


def _health() -> grpc.GenericRpcHandler:
    check = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"\x08\x01")
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


@pytest.fixture
def served() -> Iterator[tuple[str, Served]]:
    """A server's address and its state."""
    state = Served()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((*_handlers(state), _health()))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", state
    state.hold.set()
    server.stop(None).wait()
