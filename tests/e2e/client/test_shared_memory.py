"""Shared memory between a client and a real server: equal results, and nothing left."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sharing_memory import sealed

import pullback
from pullback._sharing.segments import hand_over
from pullback.memory.handover import HandoverError, memory_path, socket_path

pytestmark = pytest.mark.usefixtures("small_heap")

ROSENBROCK = pullback.Formula("sum(100*(x[1:]-x[:-1]**2)**2 + (1-x[:-1])**2)", x="f64[8]")
Start = Callable[..., subprocess.Popen[str]]
POINTS = np.random.default_rng(7).normal(size=(20_000, 8))


@pytest.fixture(scope="module")
def server() -> Iterator[pullback.Client]:
    """A client of an embedded server with one worker."""
    with pullback.local("cpu:1") as client:
        client.register(ROSENBROCK, name="rosenbrock")
        yield client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers with one folder and one socket, and gives them once they listen."""
    started: list[subprocess.Popen[str]] = []

    def start(*flags: str) -> subprocess.Popen[str]:
        address = f"unix:{tmp_path}/s"
        options = [f"--listen={address}", "--devices=cpu:1", f"--data-dir={tmp_path}/data", *flags]
        process = subprocess.Popen(
            [sys.executable, "-m", "pullback_server", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == f"pullback: listening on {address}\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def path_of(client: pullback.Client) -> str:
    """The path of the side channel."""
    path = socket_path(client.address)
    assert path is not None
    return memory_path(path)


def processes(server: pullback.Client) -> list[psutil.Process]:
    """The server's process and its worker's."""
    children = psutil.Process().children()
    (front,) = (child for child in children if any(server.address in word for word in child.cmdline()))
    return [front, *front.children()]


def segments(process: psutil.Process) -> int:
    """How many segments of clients a process has mapped."""
    try:
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    except OSError:
        return 0
    return maps.count("memfd:pullback-client")


def nothing_is_mapped(server: pullback.Client) -> bool:
    """Whether neither server nor worker has memory of a client."""
    return not any(map(segments, processes(server)))


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that must come within 20 seconds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def agree(actual: Any, expected: Any) -> None:
    """Requires that results are equal, but for the last bits: a batch may run whole or in pieces."""
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


def connected(client: pullback.Client, **options: bool) -> pullback.Client:
    """Another client of the same server."""
    return pullback.connect(client.address, **options)


def test_equality(server: pullback.Client) -> None:
    """Results are those of messages, and arrays of their own."""
    wants = ["value", "grad", "hessian"]
    with connected(server) as sharing, connected(server, shared_memory=False) as sending:
        assert sending._lender is None
        shared, sent = (
            client.function("rosenbrock").evaluate(POINTS, want=wants) for client in (sharing, sending)
        )
        assert sharing._lender is not None
        assert sharing._lender.pool.in_use > 20_000 * 8 * 8
    for want in wants:
        agree(shared[want], sent[want])
        assert shared[want].flags.writeable
        assert shared[want].ctypes.data % 64 == 0
    shared["grad"][:] = 0.0
    assert shared["hessian"].any()


def test_small_arrays_share_nothing(server: pullback.Client) -> None:
    """A call at a few points costs no segment."""
    with connected(server) as client:
        client.function("rosenbrock").grad(POINTS[:10])
        assert client._lender is not None
        assert client._lender.pool.nbytes == 0


def test_asynchronously(server: pullback.Client) -> None:
    """The twin does the same, many at a time."""

    async def run() -> list[np.ndarray]:
        async with pullback.aio.connect(server.address) as client:
            function = await client.function("rosenbrock")
            return await asyncio.gather(*(function.grad(POINTS * scale) for scale in (1.0, 2.0, 3.0)))

    with connected(server, shared_memory=False) as client:
        function = client.function("rosenbrock")
        for scale, result in zip((1.0, 2.0, 3.0), asyncio.run(run()), strict=True):
            agree(result, function.grad(POINTS * scale))


def test_threads(server: pullback.Client) -> None:
    """Threads get each their own results."""
    with connected(server) as client, connected(server, shared_memory=False) as other:
        function = client.function("rosenbrock")
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda scale: function.grad(POINTS * scale), range(12)))
        reference = other.function("rosenbrock")
        for scale, result in enumerate(results):
            agree(result, reference.grad(POINTS * scale))


def one_array(count: int) -> Iterator[np.ndarray]:
    """The points times 0, 1, 2, ..., in one array, which changes as soon as it was submitted."""
    array = np.empty_like(POINTS)
    for scale in range(count):
        array[:] = POINTS * scale
        yield array


def test_streams(server: pullback.Client) -> None:
    """What is large goes through shared memory on streams, too, and in a message where that is not known."""
    with connected(server) as client, connected(server, shared_memory=False) as other:
        function, reference = client.function("rosenbrock"), other.function("rosenbrock")
        assert client._lender is not None
        with function.stream(in_flight=4) as stream:
            futures = list(map(stream.grad, one_array(8)))
            assert client._lender.pool.nbytes > 0
            results = [future.result() for future in futures]
            client._lender.pool._segments[0].number += 1
            results.append(stream.grad(POINTS * 8).result())
        for scale, result in enumerate(results):
            agree(result, reference.grad(POINTS * scale))
        agree(function.map(POINTS, want=["grad"]).grad, results[1])


def test_asynchronous_streams(server: pullback.Client) -> None:
    """The twin's streams do the same; tasks that give up leave nothing in use."""

    async def run() -> list[Any]:
        async with pullback.aio.connect(server.address) as client:
            function = await client.function("rosenbrock")
            async with function.stream(in_flight=4) as stream:
                given_up = stream.grad(POINTS)
                given_up.cancel()
                results = await asyncio.gather(*map(stream.grad, one_array(6)))
                assert client._lender is not None
                assert client._lender.pool.in_use >= 6 * POINTS.nbytes
                client._lender.pool._segments[0].number += 1
                results.append(await stream.grad(POINTS * 6))
            return results

    with connected(server, shared_memory=False) as other:
        reference = other.function("rosenbrock")
        for scale, result in enumerate(asyncio.run(run())):
            agree(result, reference.grad(POINTS * scale))


def test_results_outlive_the_client(server: pullback.Client) -> None:
    """What the user keeps stays as it is after the client was closed; the server keeps nothing."""
    until(lambda: nothing_is_mapped(server))
    with connected(server) as client:
        function = client.function("rosenbrock")
        results = [function.grad(POINTS * scale) for scale in (1.0, 2.0)]
        copies = [result.copy() for result in results]
        assert all(map(segments, processes(server)))
    until(lambda: nothing_is_mapped(server))
    for result, copy in zip(results, copies, strict=True):
        np.testing.assert_array_equal(result, copy)
        np.add(result, 1.0, out=result)
        np.testing.assert_array_equal(result, copy + 1.0)


def test_a_user_who_keeps_everything(server: pullback.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pool is full, results come in messages; with room again, in memory."""
    with connected(server) as client:
        assert client._lender is not None
        monkeypatch.setattr(client._lender.pool, "_smallest", 4 << 20)
        monkeypatch.setattr(client._lender.pool, "_most", 4 << 20)
        function = client.function("rosenbrock")
        kept = [function.grad(POINTS * scale) for scale in range(5)]
        assert client._lender.pool.in_use == 2 * POINTS.nbytes + 64 * 2
        for result in kept[1:]:
            assert not np.shares_memory(result, kept[0])
        del kept, result
        gc.collect()
        assert client._lender.pool.in_use == 0


KILLED = """
    import os, sys, numpy as np, pullback
    client = pullback.connect(sys.argv[1])
    function = client.function("rosenbrock")
    points = np.ones((400_000, 8))
    function.grad(points)
    print("ready", flush=True)
    while True:
        function.evaluate(points, want=["value", "grad"])
"""


def test_a_client_that_is_killed(server: pullback.Client) -> None:
    """Its memory goes from server and workers, whatever it was about to do; others are served on."""
    until(lambda: nothing_is_mapped(server))
    descriptors = [process.num_fds() for process in processes(server)]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), server.address], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        time.sleep(0.1)
        client.kill()
        client.wait()
    until(lambda: nothing_is_mapped(server))
    until(lambda: [process.num_fds() for process in processes(server)] <= descriptors)
    np.testing.assert_array_equal(server.function("rosenbrock").grad(np.ones((10, 8))), np.zeros((10, 8)))


def test_a_server_that_is_killed(start: Start, tmp_path: Path) -> None:
    """Calls fail as they would without shared memory, and work again with the next server."""
    socket_file = tmp_path / "s"
    process = start()
    with pullback.connect(f"unix:{socket_file}", timeout=60) as client:
        function = client.register(ROSENBROCK, name="rosenbrock")
        first = function.grad(POINTS)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(pullback.UnavailableError):
            function.grad(POINTS, timeout=2)
        process = start()
        agree(function.grad(POINTS), first)
        assert client._lender is not None
        client._lender._pause_ends = 0.0
        second = function.grad(POINTS)
        agree(second, first)
        assert client._lender.pool.in_use > 0
    process.terminate()
    assert process.wait(30) == 0
    assert not socket_file.exists()
    assert not Path(memory_path(str(socket_file))).exists()


def test_a_server_without_shared_memory(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls work, and the log says once why they are not faster."""
    process = start("--max-client-memory-bytes=0")
    with caplog.at_level(logging.WARNING), pullback.connect(f"unix:{tmp_path}/s") as client:
        function = client.register(ROSENBROCK, name="rosenbrock")
        for _ in range(2):
            assert function.grad(POINTS).shape == POINTS.shape
    assert [record.name for record in caplog.records].count("pullback._sharing.lender") == 1
    process.terminate()
    assert process.wait(30) == 0


def test_memory_that_can_shrink_is_refused(server: pullback.Client) -> None:
    """The server cannot be made to fault."""
    path = path_of(server)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        descriptor = sealed(4096, seals=0)
        socket.send_fds(connection, [b"PBM1" + bytes(4) + (4096).to_bytes(8, "little")], [descriptor])
        os.close(descriptor)
        assert b"F_SEAL_SHRINK" in connection.recv(4096)
    with pytest.raises(HandoverError, match="max_client_memory_bytes"):
        hand_over(path, 1 << 40)


def test_memory_of_others_is_out_of_reach(server: pullback.Client) -> None:
    """A number that the server did not give, or a place outside, is refused; the call goes in a message."""
    with connected(server) as client:
        function = client.function("rosenbrock")
        expected = function.grad(POINTS)
        assert client._lender is not None
        (segment,) = client._lender.pool._segments
        segment.number += 1
        agree(function.grad(POINTS), expected)
        assert client._lender.pool.nbytes == 0
