"""Health on a real server: what everybody may ask, and what nobody can do to others with it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from e2e.server.running import details
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pullback_server.services.health import Health

SERVING, NOT_SERVING, UNKNOWN = 1, 2, 3
CHECK = "/grpc.health.v1.Health/Check"


class Workers:
    """Workers that become ready when they are told to."""

    def __init__(self) -> None:
        self.ready = False
        self._news = asyncio.Event()

    def turn(self, *, ready: bool) -> None:
        """Makes them ready, or not."""
        self.ready = ready
        self._news.set()
        self._news = asyncio.Event()

    async def changed(self) -> None:
        """Returns when they have."""
        await self._news.wait()


@dataclass
class Asked:
    """A server that tells of its health, and a channel to it."""

    port: int
    health: Health
    workers: Workers
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.channel: Any = grpc.aio.insecure_channel(
            f"127.0.0.1:{self.port}", [("grpc.use_local_subchannel_pool", 1)]
        )
        self.stub = health_pb2_grpc.HealthStub(self.channel)

    async def check(self, service: str = "") -> int:
        """The state of a service."""
        answer = await self.stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
        return int(answer.status)

    def watch(self, service: str = "") -> Any:
        """The states of a service."""
        return self.stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=20)


@asynccontextmanager
async def asked(most: int = 100) -> AsyncIterator[Asked]:
    """A server with ready workers, and so many visitors at most."""
    workers = Workers()
    health = Health(workers, ["pullback.v1.Some"], most)  # type: ignore[arg-type]
    server = grpc.aio.server()
    health.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    following = asyncio.create_task(health.follow())
    workers.turn(ready=True)
    asked = Asked(port, health, workers)
    yield asked
    await asked.channel.close()
    following.cancel()
    await server.stop(None)


async def _next(states: Any) -> int:
    return int((await anext(aiter(states))).status)


async def test_states() -> None:
    """Check and Watch tell of the workers, of each service alike, and of the server that stops."""
    async with asked() as server:
        assert [await server.check(), await server.check("pullback.v1.Some")] == [SERVING, SERVING]
        states = aiter(server.watch("pullback.v1.Some"))
        assert (await anext(states)).status == SERVING
        server.workers.turn(ready=False)
        assert (await anext(states)).status == NOT_SERVING
        server.workers.turn(ready=True)
        assert (await anext(states)).status == SERVING
        server.health.drain()
        assert (await anext(states)).status == NOT_SERVING
        assert await server.check() == NOT_SERVING


async def test_unknown_services() -> None:
    """A service that the server has not is NOT_FOUND, and unknown to who watches it."""
    async with asked() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.check("other")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert await _next(server.watch("other")) == UNKNOWN


async def test_what_cannot_be_read() -> None:
    """Bytes that are no message, and no message at all, are told so."""
    async with asked() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.channel.unary_unary(CHECK)(b"\xff", timeout=20)
        assert details(caught.value)[1].reason == "MALFORMED_REQUEST"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.channel.stream_unary(CHECK)(iter(()), timeout=20)
        assert details(caught.value)[1].reason == "MALFORMED_REQUEST"


async def test_watcher_that_does_not_read() -> None:
    """Who takes nothing of what it asked for has nobody wait, neither other watchers nor the server."""
    async with asked() as server:
        with _watching_without_reading(server.port):
            await asyncio.sleep(0.3)
            states = aiter(server.watch())
            async with asyncio.timeout(10):
                assert (await anext(states)).status == SERVING
                server.health.drain()
                assert (await anext(states)).status == NOT_SERVING


async def test_message_that_does_not_come() -> None:
    """Who begins calls and sends nothing holds up nobody, and is turned away soon."""
    async with asked() as server:
        begun = [server.channel.stream_unary(CHECK)(timeout=20) for _ in range(6)]
        async with asyncio.timeout(10):
            assert await server.check() == SERVING
            for call in begun:
                assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_too_many_watchers() -> None:
    """Beyond the most, clients hear that there is no Watch and go on; later there is room again."""
    async with asked(most=3) as server:
        watching = [server.watch() for _ in range(3)]
        assert [await _next(states) for states in watching] == [SERVING] * 3
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _next(server.watch())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.check()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        watching[1].cancel()
        async with asyncio.timeout(10):
            while not await _is_answered(server):  # noqa: ASYNC110 -- nothing tells when the server has heard
                await asyncio.sleep(0.02)


async def test_too_many_of_one_connection() -> None:
    """One connection cannot take the place of all others."""
    async with asked() as server:
        watching = [server.watch() for _ in range(64)]
        assert {await _next(states) for states in watching} == {SERVING}
        assert not await _is_answered(server)
        other = Asked(server.port, server.health, server.workers)
        assert await other.check() == SERVING
        await other.channel.close()


async def _is_answered(server: Asked) -> bool:
    try:
        return await server.check() == SERVING
    except grpc.aio.AioRpcError:
        return False


def _watching_without_reading(port: int) -> socket.socket:
    """A connection that watches, and allows no byte of an answer (RFC 9113, 6.9.2)."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Watch",
        ":authority": "x",
    }
    headers |= {"content-type": "application/grpc", "te": "trailers"}
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
    connection = socket.create_connection(("127.0.0.1", port))
    settings = _frame(4, 0, 0, struct.pack(">HI", 4, 0))
    call = _frame(1, 4, 1, block) + _frame(0, 1, 1, bytes(5))
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + call)
    return connection


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
