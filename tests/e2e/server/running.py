"""A real server as a child process, and calls to it without the client library."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pullback.program.container import Formula, Program
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import element_to_wire, program_to_wire
from pullback.v1 import (
    administration_pb2,
    capabilities_pb2,
    errors_pb2,
    evaluation_pb2,
    functions_pb2,
    graphs_pb2,
    tensor_pb2,
)

SERVICES = {
    service.name: service
    for module in (administration_pb2, capabilities_pb2, evaluation_pb2, functions_pb2, graphs_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def formula(source: str, **arguments: str) -> Program:
    """A program of the formula language, its arguments by name and type."""
    named = [Argument(name, LEAF, (parse_tensor_type(text),)) for name, text in arguments.items()]
    return Program(Formula(source), Signature(tuple(named)))


def tensor(values: Any) -> tensor_pb2.Tensor:
    """The message of an array."""
    array = np.asarray(values)
    return tensor_pb2.Tensor(
        element_type=element_to_wire(element_of(array.dtype)), shape=array.shape, data=array.tobytes()
    )


def array(message: tensor_pb2.Tensor) -> np.ndarray[Any, Any]:
    """The array of a message of F64."""
    return np.frombuffer(message.data).reshape(tuple(message.shape))


def request(function: str, quantity: str, *values: Any, **want: Any) -> evaluation_pb2.EvaluateRequest:
    """A request for one quantity of a function."""
    wanted = evaluation_pb2.Want(quantity=f"QUANTITY_{quantity}", **want)
    return evaluation_pb2.EvaluateRequest(
        function=f"functions/{function}", wants=[wanted], arguments=map(tensor, values)
    )


def details(error: grpc.RpcError) -> tuple[errors_pb2.Status, errors_pb2.ErrorInfo]:
    """The status and its reason that a failed call carries."""
    trailing = dict(error.trailing_metadata())
    status = errors_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    assert status.details[0].type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    return status, errors_pb2.ErrorInfo.FromString(status.details[0].value)


@dataclass
class Running:
    """A server process and a channel to it; calls show the metadata, if they have no other."""

    process: subprocess.Popen[str]
    address: str
    folder: Path
    log: Path
    metadata: Any = None
    channel: grpc.Channel = field(init=False)

    def __post_init__(self) -> None:
        largest = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(self.address, largest)

    def call(self, method: str, message: Any = None, *, timeout: float = 60, metadata: Any = None) -> Any:
        """Calls `Service/Method`; messages of a client's stream are an iterator."""
        service, _, name = method.partition("/")
        descriptor = SERVICES[service].methods_by_name[name]
        kind = "_".join(
            "stream" if streams else "unary"
            for streams in (descriptor.client_streaming, descriptor.server_streaming)
        )
        rpc = getattr(self.channel, kind)(
            f"/{SERVICES[service].full_name}/{name}",
            request_serializer=lambda each: each if isinstance(each, bytes) else each.SerializeToString(),
            response_deserializer=GetMessageClass(descriptor.output_type).FromString,
        )
        empty = GetMessageClass(descriptor.input_type)()
        return rpc(empty if message is None else message, timeout=timeout, metadata=metadata or self.metadata)

    def register(self, name: str, program: Program, **fields: Any) -> functions_pb2.RegisterFunctionResponse:
        """Registers a program."""
        message = functions_pb2.RegisterFunctionRequest(
            name=f"functions/{name}", program=program_to_wire(program), **fields
        )
        answer: functions_pb2.RegisterFunctionResponse = self.call(
            "FunctionService/RegisterFunction", message
        )
        return answer

    def evaluate(self, function: str, quantity: str, *values: Any, **want: Any) -> list[np.ndarray[Any, Any]]:
        """The leaves of one quantity."""
        answer = self.call("EvaluationService/Evaluate", request(function, quantity, *values, **want))
        return [array(each) for each in answer.results[0].tensors]

    def health(self, service: str = "") -> int:
        """The state of the server or of one service."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        state: int = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status
        return state

    def until_serving(self) -> None:
        """Waits until health says SERVING, for at most 60 seconds."""
        deadline = time.monotonic() + 60
        while self.health() != SERVING:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    """Whether a process is a worker, and alive."""
    try:
        return "pullback_server.compute" in process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False


Start = Callable[..., Running]


def end(server: Running) -> None:
    """Closes a server's channel and pipes, and kills it if it still runs."""
    server.channel.close()
    with server.process:
        if server.process.poll() is None:
            server.process.terminate()
            try:
                server.process.wait(20)
            except subprocess.TimeoutExpired:
                server.process.kill()
                raise
