"""Maps and streams against a real server: one that is killed meanwhile, and clients that do not read."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import Running, Start, end, formula, request

import pullback
from pullback.v1 import evaluation_pb2

XS = np.random.default_rng(5).normal(size=(40_000, 8))


@pytest.fixture(params=["tcp", "unix"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a server can listen, and listen again: a free port, or a Unix socket."""
    if request.param == "unix":
        return f"unix:{tmp_path}/socket"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listening.getsockname()[1]}"


def with_function(server: Running) -> Running:
    """A server with a function f64[8], f64[] -> f64[]."""
    server.register("f", formula("sum(x**2) * y", x="f64[8]", y="f64[]"))
    return server


def peak_mib(server: Running) -> float:
    """The most memory that the front had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) / 1024


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_server_that_is_killed_and_started_again(start: Start, address: str, kind: str) -> None:
    """The map goes on where it was; every point has its result, in its place."""
    first = with_function(start(f"--listen={address}"))
    first.evaluate("f", "GRADIENT", XS[:512], 2.0)
    sent = list[int]()

    def replace() -> None:
        first.process.kill()
        first.process.wait()
        start(f"--listen={address}", folder=first.folder, wait=False)

    def points() -> Iterator[Any]:
        for begin in range(0, len(XS), 500):
            if begin == 20_000:
                threading.Thread(target=replace).start()
            sent.append(begin)
            yield XS[begin : begin + 500]

    async def main() -> list[Any]:
        async with pullback.aio.connect(address) as client:
            f = await client.function("f")
            return [each.grad async for each in f.imap(points(), y=2.0, want=["grad"], chunk=512)]

    if kind == "async":
        gradients = asyncio.run(main())
    else:
        with pullback.connect(address) as client:
            f = client.function("f")
            gradients = [each.grad for each in f.imap(points(), y=2.0, want=["grad"], chunk=512)]
    np.testing.assert_allclose(np.concatenate(gradients), 4 * XS, rtol=1e-15)
    assert sent == list(range(0, len(XS), 500))


def test_files_and_arrays(start: Start, tmp_path: Path) -> None:
    """From a file to a file, as from memory to memory and as one evaluation."""
    server = with_function(start())
    np.save(tmp_path / "x.npy", XS)
    with pullback.connect(server.address) as client:
        f = client.function("f")
        whole = f.evaluate(XS[:5000], 0.5, want=["value", "grad", "hessian"])
        results = f.map(XS[:5000], 0.5, want=["value", "grad", "hessian"])
        f.map(tmp_path / "x.npy", 0.5, want=["grad"], out=tmp_path / "g.npy", progress=True)
        for key in whole:
            np.testing.assert_allclose(results[key], whole[key], rtol=1e-14)
        np.testing.assert_allclose(np.load(tmp_path / "g.npy"), XS, rtol=1e-15)


def test_directions(start: Start) -> None:
    """Tangents and cotangents are cut with the points, or shared by all of them."""
    server = with_function(start())
    with pullback.connect(server.address) as client:
        f = client.function("f")
        want = [pullback.Want("hvp", directions=3), "vjp"]
        tangents = (np.random.default_rng(1).normal(size=(700, 3, 8)),)
        cotangents = np.arange(700.0)
        options: dict[str, Any] = {"want": want, "tangents": tangents, "cotangents": cotangents}
        whole = f.evaluate(XS[:700], 0.5, **options)
        results = f.map(XS[:700], 0.5, **options, chunk=64)
        np.testing.assert_allclose(results.hvp, whole.hvp, rtol=1e-14)
        for left, right in zip(results.vjp, whole.vjp, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-14)


def test_a_point_that_is_refused(start: Start) -> None:
    """What the server refuses of a chunk is told with the chunk's points."""
    server = with_function(start("--max-batch=100"))
    with (
        pullback.connect(server.address) as client,
        pytest.raises(pullback.LimitExceededError, match="points 0 to 127 of the map") as caught,
    ):
        client.function("f").map(XS, 1.0, chunk=128)
    assert caught.value.reason == "BATCH_TOO_LARGE"


def test_a_client_that_does_not_read(start: Start) -> None:
    """Its stream comes to a stand; the front's memory stays within its budget, and others are served."""
    server = start("--max-bytes-in-flight=64MiB")
    server.register("wide", formula("sum(x**2)", x="f64[100000]"))
    x = np.ones(100_000)
    server.evaluate("wide", "GRADIENT", x)
    before, sent = peak_mib(server), list[int]()
    done = threading.Event()

    def requests() -> Iterator[evaluation_pb2.EvaluateStreamRequest]:
        message = request("wide", "GRADIENT", x)
        for number in range(1, 2001):
            if done.is_set():
                return
            sent.append(number)
            yield evaluation_pb2.EvaluateStreamRequest(id=number, request=message)

    with grpc.insecure_channel(server.address) as channel:
        method = channel.stream_stream(
            "/pullback.v1.EvaluationService/EvaluateStream",
            request_serializer=evaluation_pb2.EvaluateStreamRequest.SerializeToString,
        )
        answers = method(requests())
        time.sleep(3)
        standing = len(sent)
        time.sleep(1)
        assert len(sent) == standing < 200
        assert server.evaluate("wide", "GRADIENT", x)[0].tolist() == (2 * x).tolist()
        assert peak_mib(server) - before < 4 * 64
        assert sum(1 for _ in zip(answers, range(500), strict=False)) == 500
        done.set()
        answers.cancel()
    end(server)
