"""Sound messages for every method of the server, from which mutated ones are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from e2e.server.running import Running, formula, request, tensor
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from pullback.program.digest import digest
from pullback.program.wire import program_to_bytes, program_to_wire
from pullback.v1 import administration_pb2, capabilities_pb2, evaluation_pb2, functions_pb2, graphs_pb2

_OURS: Final = (functions_pb2, evaluation_pb2, graphs_pb2, capabilities_pb2, administration_pb2)
_MODULES: Final = (*_OURS, health_pb2, reflection_pb2)
PROGRAMS: Final = {
    "square": formula("sum(x**2)", x="f64[3]"),
    "pair": formula("x * y + sin(x)", x="f64[2]", y="f64[]"),
    "open": formula("sum(x * 2)", x="f64[n]"),
    "single": formula("x @ x", x="f32[4,4]"),
}
"""The functions that messages are about."""

_X: Final = np.array([1.0, -2.0, 0.5])
_WHOLE: Final = program_to_bytes(PROGRAMS["pair"])
_DIGEST: Final = digest(PROGRAMS["pair"])
_CONSTANT: Final = bytes(range(64))
_CONSTANT_DIGEST: Final = "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"


@dataclass(frozen=True, slots=True)
class Case:
    """A call: the bytes of its messages.

    Attributes:
        path: The method, as gRPC names it: `/package.Service/Method`.
        messages: What is sent, in order; one message unless the client streams.
    """

    path: str
    messages: tuple[bytes, ...]


def methods() -> dict[str, MethodDescriptor]:
    """Every method that the server has, by its path."""
    services = chain.from_iterable(module.DESCRIPTOR.services_by_name.values() for module in _MODULES)
    return {
        f"/{service.full_name}/{method.name}": method for service in services for method in service.methods
    }


def register_all(server: Running) -> None:
    """Registers the functions that messages are about; those that are there stay."""
    for name, program in PROGRAMS.items():
        server.register(name, program, labels={"team": "fuzz"})


def seeds() -> list[Case]:
    """Sound calls, at least one of each method."""
    cases = [
        Case(path, tuple(message.SerializeToString() for message in messages))
        for path, messages in chain(_functions(), _evaluations(), _others())
    ]
    missing = methods().keys() - {case.path for case in cases}
    empty = [
        Case(path, (GetMessageClass(methods()[path].input_type)().SerializeToString(),)) for path in missing
    ]
    return cases + sorted(empty, key=lambda case: case.path)


Calls = list[tuple[str, Sequence[Message]]]


def _functions() -> Calls:
    service, pb = "/pullback.v1.FunctionService/", functions_pb2
    registrations = [
        pb.RegisterFunctionRequest(
            name=f"functions/{name}", program=program_to_wire(program), labels={"a": "b"}, description="text"
        )
        for name, program in PROGRAMS.items()
    ]
    by_digest = pb.RegisterFunctionRequest(name="functions/late", program_digest=_DIGEST)
    halves = _WHOLE[: len(_WHOLE) // 2], _WHOLE[len(_WHOLE) // 2 :]
    upload = [
        pb.UploadProgramRequest(digest=_DIGEST, size_bytes=len(_WHOLE), chunk=halves[0]),
        pb.UploadProgramRequest(chunk=halves[1]),
    ]
    constant = [
        pb.UploadConstantRequest(digest=_CONSTANT_DIGEST, size_bytes=len(_CONSTANT), chunk=_CONSTANT[:40]),
        pb.UploadConstantRequest(chunk=_CONSTANT[40:]),
    ]
    second_page = pb.ListFunctionsRequest(page_size=3)
    second_page.page_token = "c3F1YXJl"  # noqa: S105 -- base64 of "square"
    missing = pb.ListMissingConstantsRequest(digests=[_CONSTANT_DIGEST, "0" * 64])
    return [
        *((f"{service}RegisterFunction", [each]) for each in (*registrations, by_digest)),
        (f"{service}UploadProgram", upload),
        (f"{service}UploadConstant", constant),
        (f"{service}ListMissingConstants", [missing]),
        (f"{service}GetFunction", [pb.GetFunctionRequest(name="functions/square")]),
        (f"{service}GetFunction", [pb.GetFunctionRequest(name=f"functions/pair/revisions/{_DIGEST[:12]}")]),
        (f"{service}ListFunctions", [pb.ListFunctionsRequest(page_size=2, labels={"team": "fuzz"})]),
        (f"{service}ListFunctions", [second_page]),
        (f"{service}DeleteFunction", [pb.DeleteFunctionRequest(name="functions/late")]),
    ]


def _evaluations() -> Calls:
    service, pb = "/pullback.v1.EvaluationService/", evaluation_pb2
    requests = _requests()
    stream = [pb.EvaluateStreamRequest(id=id_, request=each) for id_, each in enumerate(requests[:4])]
    wants = [pb.Want(quantity="QUANTITY_GRADIENT"), pb.Want(quantity="QUANTITY_VALUE")]
    compilations = [
        pb.CompileRequest(function="functions/square", wants=wants, batch=4),
        pb.CompileRequest(function="functions/pair", wants=wants[1:], batch=3, shared_leaves=[1]),
        pb.CompileRequest(function="functions/open", wants=wants, sizes={"n": 3}),
    ]
    return [
        *((f"{service}Evaluate", [each]) for each in requests),
        (f"{service}EvaluateStream", stream),
        *((f"{service}Compile", [each]) for each in compilations),
    ]


def _requests() -> list[evaluation_pb2.EvaluateRequest]:
    jvp = request("pair", "JVP", _X[:2], 3.0)
    jvp.tangents.extend([tensor(_X[1:]), tensor(1.0)])
    vjp = request("pair", "VJP", _X[:2], 3.0)
    vjp.cotangents.extend([tensor(_X[1:])])
    hvp = request("square", "HVP", _X, directions=2)
    hvp.tangents.extend([tensor(np.ones((2, 3)))])
    shared = request("square", "GRADIENT", _X)
    shared.results.segment, shared.results.offset, shared.results.length = 7, 64, 128
    return [
        request("square", "GRADIENT", _X),
        request("square", "HESSIAN", _X, modes=["MODE_REVERSE", "MODE_FORWARD"]),
        request("square", "VALUE", np.arange(12.0).reshape(4, 3)),
        request("pair", "JACOBIAN", _X[:2], 3.0, argnums=[0, 1], mode="MODE_FORWARD"),
        request("pair", "JACOBIAN", _X[:2], 3.0, sparse=True),
        request("open", "GRADIENT", np.arange(5.0)),
        request("single", "VALUE", np.eye(4, dtype=np.float32)),
        request("square", "DERIVATIVE", _X, order=2),
        request("square", "LAPLACIAN", _X),
        *(jvp, vjp, hvp, shared),
    ]


def _others() -> Calls:
    graphs = [
        graphs_pb2.GetGraphRequest(
            function="functions/square", wants=[evaluation_pb2.Want(quantity="QUANTITY_GRADIENT")], batch=2
        ),
        graphs_pb2.GetGraphRequest(
            function="functions/pair", depth=1, merge_trivial=True, compiled_cost=True
        ),
    ]
    reflected: list[Any] = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="pullback.v1.EvaluationService"),
    ]
    health = health_pb2.HealthCheckRequest(service="pullback.v1.FunctionService")
    return [
        *(("/pullback.v1.GraphService/GetGraph", [each]) for each in graphs),
        ("/pullback.v1.CapabilitiesService/GetCapabilities", [capabilities_pb2.GetCapabilitiesRequest()]),
        ("/grpc.health.v1.Health/Check", [health]),
        ("/grpc.health.v1.Health/Watch", [health]),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", reflected),
    ]
