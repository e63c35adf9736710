"""What a tenant cannot do to another with what its tokens allow it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import numpy as np
from e2e.server.running import SERVICES, Running, formula
from e2e.tenants.conftest import As

from pullback.program.wire import program_to_wire
from pullback.v1 import functions_pb2

EVALUATE = f"/{SERVICES['EvaluationService'].full_name}/Evaluate"


def _registered(as_: As, tenant: str, name: str) -> None:
    message = functions_pb2.RegisterFunctionRequest(
        name=f"functions/{name}", program=program_to_wire(formula("sum(x)", x="f64[200000]"))
    )
    as_(tenant, "register").call("FunctionService/RegisterFunction", message)


def test_requests_that_are_announced_and_do_not_come(
    as_: As, server: Running, tokens: dict[tuple[str, str], str]
) -> None:
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


def _nothing(done: threading.Event) -> Iterator[bytes]:
    """A stream of requests in which none comes."""
    done.wait()
    yield from ()
