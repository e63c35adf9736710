"""Registering: what a message with a program may cost those who share the event loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pullback.program.container import Formula, Program
from pullback.program.wire import program_from_wire, program_to_wire
from pullback.v1 import functions_pb2, program_pb2
from pullback_server.errors import Reason, ServiceError
from pullback_server.registry.registry import open_registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services import functions
from pullback_server.services.functions import Functions
from pullback_server.services.requests.limits import Limits


class _Refusing:
    """A scheduler whose workers read nothing."""

    async def load(self, _digest: str, _program: bytes) -> Any:
        raise AssertionError("the program came to a worker")


@pytest.fixture(name="service")
def service_fixture(tmp_path: Path, limits: Limits) -> Iterator[Functions]:
    """The service, with an empty registry."""
    with open_registry(tmp_path) as registry:
        yield Functions(registry, cast(Scheduler, _Refusing()), limits)


async def test_arguments_are_counted_before_they_are_read(service: Functions) -> None:
    """What they are, which is malformed here, is not looked at."""
    program = program_pb2.Program(format_version=1)
    program.signature.arguments.extend([program_pb2.Argument()] * 9)
    with pytest.raises(ServiceError) as caught:
        await service.register_function(
            functions_pb2.RegisterFunctionRequest(name="functions/f", program=program)
        )
    assert caught.value.reason is Reason.TOO_MANY_INPUTS


async def test_programs_are_read_in_a_thread(
    service: Functions, registered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are served meanwhile, however much there is to read."""
    threads = list[threading.Thread]()

    def read(message: program_pb2.Program) -> Program:
        threads.append(threading.current_thread())
        return program_from_wire(message)

    monkeypatch.setattr(functions, "program_from_wire", read)
    message = program_to_wire(Program(Formula("x"), registered("f64[]", x="f64[]").signature))
    request = functions_pb2.RegisterFunctionRequest(name="functions/f", program=message)
    with pytest.raises(AssertionError, match="came to a worker"):
        await service.register_function(request)
    assert threads[0] is not threading.main_thread()
