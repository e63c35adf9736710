"""gRPC's own services refuse what they cannot read, as ours do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from e2e.server.running import details
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from pullback_server.services.guarding import Guard

WATCH, CHECK, LIST = (f"/grpc.health.v1.Health/{name}" for name in ("Watch", "Check", "List"))
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server with guarded services."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), Guard(server))
    servicer = reflection.aio.ReflectionServicer(["grpc.health.v1.Health"])
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, Guard(server))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def _first(channel: grpc.aio.Channel, path: str, message: bytes) -> Any:
    async def messages() -> AsyncIterator[bytes]:
        yield message

    if path == REFLECT:
        return await anext(aiter(channel.stream_stream(path)(messages(), timeout=10)))
    if path == WATCH:
        return await anext(aiter(channel.unary_stream(path)(message, timeout=10)))
    return await channel.unary_unary(path)(message, timeout=10)


@pytest.mark.parametrize("path", [CHECK, WATCH, REFLECT])
async def test_what_cannot_be_read(channel: grpc.aio.Channel, path: str) -> None:
    """Bytes that are no message end a call of each kind with a reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _first(channel, path, b"\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(caught.value)[1].reason == "MALFORMED_REQUEST"


@pytest.mark.parametrize("path", [CHECK, WATCH])
async def test_what_can_be_read(channel: grpc.aio.Channel, path: str) -> None:
    """Sound messages are answered as without the guard."""
    answer = health_pb2.HealthCheckResponse.FromString(await _first(channel, path, b""))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection(channel: grpc.aio.Channel) -> None:
    """A list of the services is given."""
    assert b"grpc.health.v1.Health" in await _first(channel, REFLECT, b"\x3a\x00")


async def test_what_a_service_has_not(channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture) -> None:
    """A method that a service leaves out is UNIMPLEMENTED, and the log says nothing of it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _first(channel, LIST, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caplog.text == ""
