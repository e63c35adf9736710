"""What takes too long or too much in a worker of a real server, and what the front is spared of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from e2e.server.running import SERVING, Running, Start

import pullback

COMPILE_SECONDS = 3
MEMORY = 700 << 20
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
