"""Restarts under load: no request is lost, none is answered twice or wrongly; clients see at most a pause."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import numpy as np
import pytest

import pullback

SOURCE = pullback.Formula("sum(x**3)", x="f64[3]")
CLIENTS = 32


@dataclass
class Load:
    """Clients in threads of their own that evaluate until they are told to stop.

    Attributes:
        target: Where they connect.
        clients: How many.
        answers: How many answers came.
        failures: What went wrong.
        longest: The longest that one call took, in seconds.
    """

    target: str
    clients: int = CLIENTS
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self._threads)

    def until(self, answers: int) -> None:
        """Waits until so many more answers came."""
        goal, end = self.answers + answers, time.monotonic() + 60
        while self.answers < goal and not self.failures:
            assert time.monotonic() < end
            time.sleep(0.01)

    def _run(self, number: int) -> None:
        kinds: list[Callable[[Any], Any]] = [self._one_by_one, self._streamed, self._mapped]
        try:
            with pullback.connect(self.target) as client:
                f = client.function("cube")
                random = np.random.default_rng(number)
                while not self._stop.is_set():
                    xs = random.normal(size=(20, 3))
                    began = time.monotonic()
                    found = kinds[number % 3]((f, xs))
                    self.longest = max(self.longest, time.monotonic() - began)
                    if not np.allclose(found, 3 * xs**2):
                        self.failures.append(f"client {number} got {found} for {xs}")
                    self.answers += len(xs)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test tells it
            self.failures.append(f"client {number}: {type(error).__name__}: {error}")

    def _one_by_one(self, job: tuple[Any, Any]) -> Any:
        f, xs = job
        return [f.grad(x) for x in xs]

    def _streamed(self, job: tuple[Any, Any]) -> Any:
        f, xs = job
        with f.stream() as stream:
            return [future.result(60) for future in [stream.grad(x) for x in xs]]

    def _mapped(self, job: tuple[Any, Any]) -> Any:
        f, xs = job
        return f.map(xs, want=["grad"], chunk=3).grad


@pytest.fixture(scope="module")
def two(replica: Any) -> list[Any]:
    """Two servers with one function."""
    made = [replica("--drain-seconds=0.5"), replica("--drain-seconds=0.5")]
    for each in made:
        each.start(wait=False)
    for each in made:
        each.until_serving()
        with pullback.connect(f"127.0.0.1:{each.port}") as client:
            client.register(SOURCE, name="cube").grad(np.ones(3))
    return made


def test_a_rolling_restart_loses_nothing(two: list[Any]) -> None:
    """Two servers are started anew, one after the other, under 32 clients."""
    target = "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in two)
    with Load(target) as load:
        for each in two:
            load.until(500)
            assert each.stop() == 0
            load.until(500)
            each.start()
        load.until(500)
    assert load.failures == []
    assert load.longest < 30


def test_one_of_two_is_killed(two: list[Any]) -> None:
    """What it had in hand goes to the other one."""
    target = "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in two)
    with Load(target, 9) as load:
        load.until(300)
        two[0].stop(signal.SIGKILL)
        load.until(300)
    assert load.failures == []
    two[0].start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_only_server_is_started_anew(two: list[Any], number: signal.Signals) -> None:
    """Clients of one server alone see a pause."""
    server = two[0]
    with Load(f"127.0.0.1:{server.port}", 9) as load:
        load.until(300)
        server.stop(number)
        server.start()
        load.until(300)
    assert load.failures == []


def test_connections_that_grow_old(replica: Any) -> None:
    """Clients that are asked to connect anew every half a second lose nothing."""
    server = replica("--drain-seconds=0", "--max-connection-age-seconds=0.5")
    server.start()
    target = f"127.0.0.1:{server.port}"
    with pullback.connect(target) as client:
        client.register(SOURCE, name="cube").grad(np.ones(3))
    states: list[grpc.ChannelConnectivity] = []
    with Load(target, 9) as load, grpc.insecure_channel(target) as channel:
        channel.subscribe(states.append, try_to_connect=True)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            load.until(100)
    assert load.failures == []
    assert grpc.ChannelConnectivity.IDLE in states[states.index(grpc.ChannelConnectivity.READY) :]


def test_asynchronous_clients(two: list[Any]) -> None:
    """Tasks, streams and maps of one event loop go through a restart as threads do."""
    target = "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in two)

    async def work(f: Any, number: int, stop: asyncio.Event) -> int:
        random, done = np.random.default_rng(number), 0
        while not stop.is_set():
            xs = random.normal(size=(12, 3))
            match number % 3:
                case 0:
                    found = await asyncio.gather(*[f.grad(x) for x in xs])
                case 1:
                    async with f.stream() as stream:
                        found = await asyncio.gather(*[stream.grad(x) for x in xs])
                case _:
                    found = (await f.map(xs, want=["grad"], chunk=3)).grad
            np.testing.assert_allclose(found, 3 * xs**2)
            done += 1
        return done

    async def run() -> list[int]:
        stop = asyncio.Event()
        async with pullback.aio.connect(target) as client:
            f = await client.function("cube")
            tasks = [asyncio.create_task(work(f, number, stop)) for number in range(9)]
            await asyncio.sleep(0.5)
            await asyncio.to_thread(two[1].stop)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(two[1].start)
            stop.set()
            return await asyncio.gather(*tasks)

    assert all(done > 3 for done in asyncio.run(run()))
