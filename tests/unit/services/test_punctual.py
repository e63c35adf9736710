"""Calls whose messages do not come, over a real gRPC server."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from pullback_server.errors import ServiceError
from pullback_server.services import patience
from pullback_server.services.announced import ANNOUNCEMENT
from pullback_server.services.calls import OpenCalls
from pullback_server.services.patience import Patience
from pullback_server.services.punctual import Hall
from pullback_server.services.status import abort

SECONDS = 0.4


@dataclass
class Serving:
    """A server with a method of each kind, each of which answers with the bytes that came."""

    calls: OpenCalls = field(default_factory=OpenCalls)
    channel: grpc.aio.Channel = field(init=False)
    ended: int = 0

    async def one(self, raw: bytes, _: object) -> bytes:
        """One message to one."""
        return raw

    async def spread(self, raw: bytes, _: object) -> AsyncIterator[bytes]:
        """One message to many."""
        for letter in raw:
            yield bytes([letter])

    async def gather(self, raws: AsyncIterator[bytes], context: Any) -> bytes:
        """Many messages to one."""
        try:
            return b"".join([raw async for raw in raws])
        except ServiceError as error:
            await abort(context, error)
            raise AssertionError from error
        finally:
            self.ended += 1

    async def both(self, raws: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        """Many messages to many."""
        async for raw in raws:
            yield raw

    def open(self, method: str, *metadata: tuple[str, str]) -> Any:
        """A call that has sent nothing yet."""
        kind = self.channel.stream_stream if method in ("Spread", "Both") else self.channel.stream_unary
        return kind(f"/test/{method}")(metadata=metadata, timeout=10)


@asynccontextmanager
async def serving(seconds: float = SECONDS) -> AsyncIterator[Serving]:
    """A server whose calls may be silent for so long, and a channel to it."""
    state, server = Serving(), grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "One": grpc.unary_unary_rpc_method_handler(state.one),
        "Spread": grpc.unary_stream_rpc_method_handler(state.spread),
        "Gather": grpc.stream_unary_rpc_method_handler(state.gather),
        "Both": grpc.stream_stream_rpc_method_handler(state.both),
    }
    hall = Hall(server, Patience(seconds, 1 << 20), state.calls)
    hall.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as state.channel:
        yield state
    await server.stop(None)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """How a call is ended by the server."""
    with pytest.raises(grpc.aio.AioRpcError, match=r"max_silent_seconds\) is 0\.4") as caught:
        await (call if hasattr(call, "__await__") else call.read())
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    return caught.value


@pytest.mark.parametrize("method", ["One", "Spread", "Gather"])
async def test_silence(method: str) -> None:
    """A call without its message ends, also one of many; others are answered meanwhile."""
    async with serving() as state:
        silent = [state.open(method) for _ in range(20)]
        call: Any = state.channel.unary_unary("/test/One")
        assert await call(b"abc", timeout=10) == b"abc"
        await asyncio.gather(*map(refused, silent))
        if method != "Gather":
            assert state.calls.refused == {"DEADLINE_EXCEEDED": 20}


async def test_the_error_has_the_caller_s_id() -> None:
    """It was turned away before its method was called."""
    async with serving() as state:
        call = state.open("One", ("x-request-id", "mine-17"))
        error = await refused(call)
        assert dict(error.trailing_metadata())["x-request-id"] == "mine-17"


async def test_messages_in_time() -> None:
    """They arrive, also late ones, and a call may take its time to answer."""
    async with serving() as state:
        one, spread = state.open("One"), state.open("Spread")
        await asyncio.sleep(SECONDS / 2)
        for call in (one, spread):
            await call.write(b"ab")
        assert await one == b"ab"
        assert [await spread.read() for _ in range(2)] == [b"a", b"b"]


async def test_an_upload_that_stalls() -> None:
    """It ends at the part that does not come, and so does one whose parts are next to nothing."""
    async with serving() as state:
        stalled, dripping = state.open("Gather"), state.open("Gather")
        await stalled.write(bytes(1000))
        ending = asyncio.gather(refused(stalled), refused(dripping))
        for _ in itertools.takewhile(lambda _: not ending.done(), range(100)):
            if not dripping.done():
                await dripping.write(b"x")
            await asyncio.sleep(SECONDS / 8)
        await ending
        assert state.ended == 2


async def test_an_upload_that_goes_on() -> None:
    """Each part gives the time that its bytes may take, however long it lasts in all."""
    async with serving() as state:
        call = state.open("Gather")
        for _ in range(12):
            await call.write(bytes(1 << 14))
            await asyncio.sleep(SECONDS / 4)
        await call.done_writing()
        assert len(await call) == 12 << 14


@pytest.mark.parametrize("method", ["One", "Spread"])
async def test_what_is_announced_has_longer(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its bytes, and never more than by those of the largest message; what comes in parts has not."""
    monkeypatch.setattr(patience, "UNSEEN_BYTES_A_SECOND", 1 << 21)
    async with serving() as state:
        call = state.open(method, (ANNOUNCEMENT, str(1 << 20)))
        await asyncio.sleep(SECONDS + 0.2)
        await call.write(b"a")
        await call.done_writing()
        assert await (call if method == "One" else call.read()) == b"a"
        await refused(state.open(method, (ANNOUNCEMENT, "9" * 18)))
        began = time.monotonic()
        await refused(state.open("Gather", (ANNOUNCEMENT, "9" * 18)))
        assert time.monotonic() - began < SECONDS + 0.4


async def test_streams_may_be_idle() -> None:
    """So may all calls where there is no bound."""
    async with serving() as state, serving(0) as without:
        calls = [state.open("Both"), without.open("One"), without.open("Gather")]
        await asyncio.sleep(3 * SECONDS)
        for call in calls:
            await call.write(b"abc")
            await call.done_writing()
        assert [await calls[0].read(), await calls[1], await calls[2]] == [b"abc"] * 3


async def test_callers_who_leave(caplog: pytest.LogCaptureFixture) -> None:
    """They are no error, and nothing is kept of them."""
    async with serving() as state:
        calls = [state.open(method) for method in ("One", "Spread", "Gather") for _ in range(5)]
        await asyncio.sleep(0.1)
        for call in calls:
            call.cancel()
        await asyncio.sleep(2 * SECONDS)
        assert state.ended == 5
        assert state.calls.refused == {}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
