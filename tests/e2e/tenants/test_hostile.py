"""What a tenant cannot do to another with what its tokens allow it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import SERVICES, Running, formula
from e2e.tenants.conftest import As

from pullback.program.wire import program_to_wire
from pullback.v1 import functions_pb2

Tokens = dict[tuple[str, str], str]
EVALUATE = f"/{SERVICES['EvaluationService'].full_name}/Evaluate"


def _registered(as_: As, tenant: str, name: str) -> None:
    message = functions_pb2.RegisterFunctionRequest(
        name=f"functions/{name}", program=program_to_wire(formula("sum(x)", x="f64[200000]"))
    )
    as_(tenant, "register").call("FunctionService/RegisterFunction", message)


def test_requests_that_are_announced_and_do_not_come(as_: As, server: Running, tokens: Tokens) -> None:
    """One tenant announces more than the server holds, and sends nothing: others have room as before."""
    _registered(as_, "blue", "large")
    metadata = (
        ("authorization", f"Bearer {tokens['red', 'evaluate']}"),
        ("pullback-request-bytes", str(250 << 20)),
    )
    done = threading.Event()
    with ExitStack() as stack:
        calls = []
        for _ in range(4):
            call: Any = stack.enter_context(grpc.insecure_channel(server.address)).stream_unary(EVALUATE)
            calls.append(call.future(_nothing(done), metadata=metadata, timeout=30))
        stack.callback(done.set)
        time.sleep(0.5)
        assert as_("blue", "evaluate").value("functions/large", np.ones(200_000)) == 200_000.0
        assert not any(call.done() for call in calls)


def test_constants_that_come_at_the_same_time(as_: As, server: Running, tokens: Tokens) -> None:
    """What is on its way counts as if it were stored, or many together would be more than may be stored."""
    blue = as_("blue", "register")
    first = functions_pb2.UploadConstantRequest(digest="0" * 64, size_bytes=15_000, chunk=b"some")
    with _left_open(server, tokens["blue", "register"], "UploadConstant", [first]):
        code, info = blue.refused("FunctionService/UploadConstant", iter([first]))
        assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_FULL")
    _until(
        lambda: blue.refused("FunctionService/UploadConstant", iter([first]))[1].reason == "MALFORMED_REQUEST"
    )


def test_programs_that_come_at_the_same_time(as_: As, server: Running, tokens: Tokens) -> None:
    """So many are in memory at a time; a tenant that has more on their way waits, and others do not."""
    first = functions_pb2.UploadProgramRequest(digest="0" * 64, size_bytes=60 << 20, chunk=b"some")
    with _left_open(server, tokens["red", "register"], "UploadProgram", [first] * 4):
        with pytest.raises(grpc.RpcError) as caught:
            server.call(
                "FunctionService/UploadProgram",
                iter([first]),
                timeout=1.5,
                metadata=_shown(tokens["red", "register"]),
            )
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        small = functions_pb2.UploadProgramRequest(digest="0" * 64, size_bytes=4, chunk=b"some")
        assert as_("blue", "register").refused("FunctionService/UploadProgram", iter([small]))[1].reason != ""


@contextmanager
def _left_open(server: Running, token: str, method: str, firsts: Sequence[Any]) -> Iterator[None]:
    """Uploads that have begun and go no further, until the block ends."""
    path = f"/{SERVICES['FunctionService'].full_name}/{method}"
    done = threading.Event()
    calls = []
    with grpc.insecure_channel(server.address) as channel:
        rpc: Any = channel.stream_unary(path)
        for first in firsts:
            messages = itertools.chain([first.SerializeToString()], _nothing(done))
            calls.append(rpc.future(messages, metadata=_shown(token), timeout=30))
        time.sleep(0.7)
        yield
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
        done.set()


def _shown(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _nothing(done: threading.Event) -> Iterator[bytes]:
    """A stream of requests in which none comes."""
    done.wait()
    yield from ()
