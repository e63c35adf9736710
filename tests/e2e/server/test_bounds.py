"""What takes too long or too much of a real server, in a worker or on its way, and what others are spared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import SERVICES, SERVING, Running, Start, details, formula

import pullback
from pullback.v1 import functions_pb2

COMPILE_SECONDS = 3
MEMORY = 700 << 20
SILENT_SECONDS = 3
CALLS = 16
PROGRAM_BYTES = 1 << 20
X = np.array([1.0, 2.0, 3.0])


@pytest.fixture(name="bounded", scope="module")
def bounded_fixture(start: Start) -> Running:
    """A server of small bounds, with a function each that goes over one of them."""
    server = start(
        f"--max-compile-seconds={COMPILE_SECONDS}",
        f"--max-worker-memory-bytes={MEMORY}",
        "--max-replays=0",
        "--spare-workers=0",
    )
    with pullback.connect(server.address) as client:
        client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="square")
        # Sorting takes longer than from one look at the memory to the next.
        source = "sum(sort(x[:, None] * x[None, :]))"
        client.register(pullback.Formula(source, x="f64[10000]"), name="wide")
        # Any entry of its Jacobian may differ from zero, and each is followed.
        client.register(pullback.Formula("x * sum(x)", x="f64[1500]"), name="dense")
    return server


@pytest.fixture(name="client")
def client_fixture(bounded: Running) -> Iterator[pullback.Client]:
    """A client of it, for which all is well again afterwards."""
    with pullback.connect(bounded.address) as client:
        yield client
        assert client.function("square")(X) == 14.0
        assert bounded.health() == SERVING


def test_what_takes_long_to_compile(client: pullback.Client) -> None:
    """It is ended with its worker, and the error has the numbers."""
    with pytest.raises(pullback.LimitExceededError, match="max_compile_seconds") as caught:
        client.function("dense").jacobian(np.ones(1500), sparse=True)
    error = caught.value
    assert (error.reason, error.metadata["setting"]) == ("COMPILE_TIME_EXCEEDED", "max_compile_seconds")
    assert float(error.metadata["limit"]) == COMPILE_SECONDS < float(error.metadata["value"])


def test_what_takes_too_much_memory(client: pullback.Client) -> None:
    """What no prediction has caught is ended with its worker, and the error has the numbers."""
    with pytest.raises(pullback.LimitExceededError, match="max_worker_memory_bytes") as caught:
        client.function("wide")(np.linspace(0.0, 1.0, 10000))
    error = caught.value
    assert (error.reason, error.metadata["limit"]) == ("DEVICE_MEMORY_EXCEEDED", str(MEMORY))
    assert int(error.metadata["value"]) > MEMORY


def test_workers_go_before_the_front(bounded: Running) -> None:
    """A system that is short of memory ends a worker, which has the higher score, and not the front."""
    scores = [
        int(Path(f"/proc/{process}/oom_score_adj").read_text())
        for process in (bounded.process.pid, *(worker.pid for worker in bounded.workers()))
    ]
    assert len(scores) == 2
    assert scores[0] < scores[1] or scores[0] == 1000


@pytest.fixture(name="strict", scope="module")
def strict_fixture(start: Start) -> Running:
    """A server of few calls, which may not be silent for long, with a function."""
    server = start(
        f"--max-silent-seconds={SILENT_SECONDS}",
        f"--max-concurrent-rpcs={CALLS}",
        f"--max-program-bytes={PROGRAM_BYTES}",
        "--max-bytes-in-flight=4600KiB",
    )
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    return server


@contextmanager
def silent(server: Running, method: str, count: int, *first: bytes, announced: int = 0) -> Iterator[Any]:
    """Calls over a connection of their own that say no more than this; gives what waits for their ends."""
    service, _, name = method.partition("/")
    metadata = (("pullback-request-bytes", str(announced)),) if announced else ()
    over = threading.Event()

    def messages() -> Iterator[bytes]:
        yield from first
        over.wait(60)

    with grpc.insecure_channel(server.address) as channel:
        rpc: Callable[..., Any] = channel.stream_unary(f"/{SERVICES[service].full_name}/{name}")
        calls = [rpc.future(messages(), metadata=metadata, timeout=60) for _ in range(count)]  # type: ignore[attr-defined]
        try:
            yield lambda: [call.exception(60) for call in calls]
        finally:
            over.set()


def _upload() -> bytes:
    """The beginning of the upload of a program as large as may be."""
    return functions_pb2.UploadProgramRequest(digest="ab" * 32, size_bytes=PROGRAM_BYTES).SerializeToString()


SILENT: list[tuple[str, int, tuple[bytes, ...], int]] = [
    ("EvaluationService/Evaluate", CALLS, (), 0),
    # Two of these have all the room for requests.
    ("EvaluationService/Evaluate", 2, (), 1_150_000),
    ("EvaluationService/Compile", CALLS, (), 0),
    ("FunctionService/UploadProgram", CALLS, (), 0),
    # Eight of these have all the room for programs.
    ("FunctionService/UploadProgram", 8, (_upload(),), 0),
    ("FunctionService/UploadConstant", CALLS, (), 0),
]


@pytest.mark.parametrize(("method", "count", "first", "announced"), SILENT)
def test_calls_that_are_silent(
    strict: Running, method: str, count: int, first: tuple[bytes, ...], announced: int
) -> None:
    """They end with the numbers, and what they had of the server others have again."""
    for _ in range(2):  # the second have what the first had
        began = time.monotonic()
        with silent(strict, method, count, *first, announced=announced) as ends:
            errors = ends()
        assert time.monotonic() - began >= SILENT_SECONDS
        _require_told(errors)
    with pullback.connect(strict.address) as client:
        assert client.function("square")(X) == 14.0
        # It is announced, and would wait for room if there were none.
        many = client.function("square")(np.ones((50_000, 3)), timeout=10)
        np.testing.assert_array_equal(many, 3.0)
        client.register(pullback.Formula(f"sum(x) + {count}", x="f64[3]"), name="another")


def _require_told(errors: list[Any]) -> None:
    for error in errors:
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
        _, info = details(error)
        assert (info.metadata["setting"], info.metadata["limit"]) == ("max_silent_seconds", "3")
        assert info.metadata["value"] in error.details()


def test_places_of_the_silent(strict: Running) -> None:
    """While they have them all, others are refused; afterwards nobody is."""
    with silent(strict, "EvaluationService/Evaluate", CALLS) as ends:
        with pytest.raises(grpc.RpcError) as caught:
            _ask_forever(strict)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        ends()
        strict.call("CapabilitiesService/GetCapabilities", timeout=10)


def _ask_forever(server: Running) -> None:
    while True:
        server.call("CapabilitiesService/GetCapabilities", timeout=10)
