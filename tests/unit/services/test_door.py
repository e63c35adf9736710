"""The door before a service, with a real server in this process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from pullback_server.errors import ServiceError
from pullback_server.services.authentication import Authentication
from pullback_server.services.calls import OpenCalls
from pullback_server.services.door import Door
from pullback_server.services.lasting import Streams
from pullback_server.services.patience import Patience
from pullback_server.services.status import abort
from pullback_server.tenants.callers import caller
from pullback_server.tenants.current import CurrentDirectory

TENANTS = ("acme", "zeta")
MOST_STREAMS = 3
SECONDS = 2.0


@dataclass
class Service:
    """A service with a method of each kind, which answers with the tenant of its caller, and what came."""

    calls: OpenCalls
    read: list[bytes] = field(default_factory=list)

    async def one(self, raw: bytes, _: Any) -> bytes:
        """One message to one."""
        self.read.append(raw)
        await asyncio.sleep(0.005)
        return f"{caller.get().tenant} {raw.decode()}".encode()

    async def gather(self, raws: AsyncIterator[bytes], context: Any) -> bytes:
        """Many messages to one."""
        return await self.one(b"".join([raw async for raw in raws]), context)

    async def spread(self, raw: bytes, context: Any) -> AsyncIterator[bytes]:
        """One message to many."""
        for _ in range(2):
            yield await self.one(raw, context)

    async def both(self, _: Any, context: Any) -> None:
        """Many messages to many, read and written by the call itself, as streams of evaluations are."""
        take = self.calls.reader(context).read
        try:
            while (raw := await take()) is not grpc.aio.EOF:
                await context.write(await self.one(raw, context))
        except ServiceError as error:
            await abort(context, error)

    async def each(self, raws: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Many messages to many, as a generator."""
        async for raw in raws:
            yield await self.one(raw, context)

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods, as gRPC takes them."""
        return grpc.method_handlers_generic_handler(
            "test",
            {
                "One": grpc.unary_unary_rpc_method_handler(self.one),
                "Gather": grpc.stream_unary_rpc_method_handler(self.gather),
                "Spread": grpc.unary_stream_rpc_method_handler(self.spread),
                "Both": grpc.stream_stream_rpc_method_handler(self.both),
                "Each": grpc.stream_stream_rpc_method_handler(self.each),
            },
        )


@dataclass
class Guarded:
    """A channel to a guarded service, and what is behind the door."""

    channel: grpc.aio.Channel
    service: Service
    calls: OpenCalls
    streams: Streams
    file: Path
    current: CurrentDirectory

    async def ask(self, method: str, tenant: str | None, *messages: bytes) -> list[bytes]:
        """The answers of a method to messages, shown this tenant's token."""
        metadata = () if tenant is None else (("authorization", f"Bearer pb_{tenant}"),)
        kind = {
            "One": self.channel.unary_unary,
            "Gather": self.channel.stream_unary,
            "Spread": self.channel.unary_stream,
        }.get(method, self.channel.stream_stream)
        streams = method in ("Gather", "Both", "Each")
        call: Any = kind(f"/test/{method}")(
            iter(messages) if streams else messages[0], metadata=metadata, timeout=10
        )
        return [each async for each in call] if method in ("Spread", "Both", "Each") else [await call]


def write(file: Path, *tenants: str) -> None:
    """Writes a tenants file in which each of these has a token."""
    lines = []
    for tenant in tenants:
        digest = hashlib.sha256(f"pb_{tenant}".encode()).hexdigest()
        lines.append(f'[[tenants.{tenant}.tokens]]\nname = "ci"\nsha256 = "{digest}"\nrole = "evaluate"\n')
    file.write_text("".join(lines))


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    """A service behind a door."""
    file = tmp_path / "tenants.toml"
    write(file, *TENANTS)
    current, calls = CurrentDirectory(file), OpenCalls()
    service = Service(calls)
    authentication = Authentication(current)
    server = grpc.aio.server()
    streams = Streams(authentication, current, calls, MOST_STREAMS)
    door = Door(server, authentication, streams, calls, Patience(SECONDS))
    door.add_generic_rpc_handlers((service.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Guarded(channel, service, calls, streams, file, current)
    await server.stop(None)


@pytest.mark.parametrize("method", ["One", "Gather", "Spread", "Both", "Each"])
async def test_who_is_known_is_let_in(guarded: Guarded, method: str) -> None:
    """With the first token that comes and with those that came before, by methods of every kind."""
    for _ in range(2):
        answers = await guarded.ask(method, "acme", b"x")
        assert answers == [b"acme x"] * (2 if method == "Spread" else 1)


@pytest.mark.parametrize("method", ["One", "Gather", "Spread", "Both", "Each"])
@pytest.mark.parametrize("tenant", [None, "nobody"])
async def test_who_is_not_known_is_not(guarded: Guarded, method: str, tenant: str | None) -> None:
    """The service does not get to know of it, and the call has ended for those who count."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await guarded.ask(method, tenant, b"x")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert dict(caught.value.trailing_metadata())["x-request-id"]
    assert guarded.service.read == []
    await asyncio.wait_for(guarded.calls.none(), 10)


async def test_nobody_is_taken_for_another(guarded: Guarded) -> None:
    """Calls of two tenants at the same time, on one connection, each know their own."""
    asked = [(TENANTS[number % 2], f"{number}".encode()) for number in range(60)]
    answers = await asyncio.gather(*(guarded.ask("One", tenant, raw) for tenant, raw in asked))
    assert answers == [[f"{tenant} {raw.decode()}".encode()] for tenant, raw in asked]
    assert caller.get().tenant == ""


async def test_a_stream_ends_when_its_caller_is_withdrawn(guarded: Guarded) -> None:
    """Streams of others go on."""
    stream_of: dict[str, Any] = {
        tenant: guarded.channel.stream_stream("/test/Both")(
            metadata=(("authorization", f"Bearer pb_{tenant}"),), timeout=10
        )
        for tenant in TENANTS
    }
    for tenant, stream in stream_of.items():
        await stream.write(b"1")
        assert await stream.read() == f"{tenant} 1".encode()
    write(guarded.file, "zeta")
    guarded.current.reread()()
    with pytest.raises(grpc.aio.AioRpcError, match="withdrawn") as caught:
        await stream_of["acme"].read()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    await stream_of["zeta"].write(b"2")
    assert await stream_of["zeta"].read() == b"zeta 2"
    stream_of["zeta"].cancel()


@pytest.mark.parametrize("method", ["Both", "Each"])
async def test_busy_streams_are_told(guarded: Guarded, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is broken off in the middle of an answer: gRPC would send no status, and its client would wait."""
    monkeypatch.setattr(guarded.streams, "_most", 100)

    async def requests() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(100_000)
        await asyncio.sleep(20)

    async def ended(stream: Any) -> grpc.StatusCode:
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await stream.read() is not grpc.aio.EOF:
                pass
        code: grpc.StatusCode = await stream.code()
        return code

    of: Any = guarded.channel.stream_stream(f"/test/{method}")
    shown = (("authorization", "Bearer pb_acme"),)
    streams = [of(requests(), metadata=shown, timeout=30) for _ in range(100)]
    ending = asyncio.wait_for(asyncio.gather(*map(ended, streams)), 15)
    await asyncio.sleep(0.2)
    write(guarded.file, "zeta")
    guarded.current.reread()()
    # INTERNAL is what clients of grpc.aio say that were writing themselves (grpc issue 36066).
    assert set(await ending) - {grpc.StatusCode.INTERNAL} == {grpc.StatusCode.UNAUTHENTICATED}


async def test_a_tenant_with_too_many_streams(guarded: Guarded) -> None:
    """Those of others are let in, and its own as soon as others end; other calls are not counted."""
    both: Any = guarded.channel.stream_stream("/test/Both")
    streams = [both(metadata=(("authorization", "Bearer pb_acme"),)) for _ in range(MOST_STREAMS)]
    for stream in streams:
        await stream.write(b"1")
        assert await stream.read() == b"acme 1"
    with pytest.raises(grpc.aio.AioRpcError, match="3 streams of the tenant 'acme'") as caught:
        await guarded.ask("Each", "acme", b"x")
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await guarded.ask("One", "acme", b"x") == [b"acme x"]
    assert await guarded.ask("Each", "zeta", b"x") == [b"zeta x"]
    await streams[0].done_writing()
    assert await streams[0].read() is grpc.aio.EOF
    assert await guarded.ask("Each", "acme", b"x") == [b"acme x"]
    for stream in streams:
        stream.cancel()


async def test_a_call_without_a_message(guarded: Guarded) -> None:
    """Who is known and sends nothing is told so."""
    call: Any = guarded.channel.stream_unary("/test/One")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(iter(()), metadata=(("authorization", "Bearer pb_acme"),), timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["One", "Gather", "Spread"])
async def test_calls_that_are_silent(guarded: Guarded, method: str) -> None:
    """Neither the first of a token nor those that follow it wait for their message without end."""
    for _ in range(2):
        call: Any = guarded.channel.stream_stream(f"/test/{method}")(
            metadata=(("authorization", "Bearer pb_acme"),), timeout=10
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        if method == "Gather":
            # The service reads for itself, and leaves the error to gRPC.
            assert caught.value.code() is grpc.StatusCode.UNKNOWN
        else:
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert guarded.service.read == []
