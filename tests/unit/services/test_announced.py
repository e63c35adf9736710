"""Large requests of unary calls, over a real gRPC server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest

from pullback_server.services.announced import ANNOUNCEMENT, Announced
from pullback_server.services.budget import LARGE, Budget, budgets
from pullback_server.services.calls import OpenCalls
from pullback_server.services.patience import Patience
from pullback_server.services.punctual import Hall

PATH = "/some.Service/Method"
LIMIT = 8 * LARGE


@dataclass
class Serving:
    """A server whose one method gives the size of its request, as long as the gate is open."""

    budget: Budget = field(default_factory=lambda: budgets(2 * LIMIT).requests)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    channel: grpc.aio.Channel = field(init=False)
    inside: int = 0

    async def answer(self, raw: bytes, _: object) -> bytes:
        """The size."""
        self.inside += 1
        await self.gate.wait()
        return str(len(raw)).encode()

    async def call(self, nbytes: int, announced: int | None = None) -> int:
        """Calls the method with a request of so many bytes."""
        metadata = () if announced is None else ((ANNOUNCEMENT, str(announced)),)
        return int(await self.channel.unary_unary(PATH)(bytes(nbytes), metadata=metadata, timeout=10))


@asynccontextmanager
async def serving(patience: Patience | None = None) -> AsyncIterator[Serving]:
    """A server and a channel to it."""
    state = Serving()
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.aio.server(options=options)
    handlers = grpc.method_handlers_generic_handler(
        "some.Service", {"Method": grpc.unary_unary_rpc_method_handler(state.answer)}
    )
    hall = Hall(server, patience or Patience(10.0), OpenCalls())
    hall.add_generic_rpc_handlers((Announced(handlers, PATH, state.budget, OpenCalls()),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as state.channel:
        yield state
    await server.stop(None)


async def until(condition: Callable[[], bool]) -> None:
    """Returns when something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- gRPC's doings are what is waited for
            await asyncio.sleep(0.005)


async def ended(budget: Budget) -> None:
    """Returns when everything was given back."""
    await until(lambda: budget.used == 0)


async def test_announced_requests_wait_their_turn() -> None:
    """Only as many are in hand as there is room for; the others come when these have ended."""
    async with serving() as state:
        calls = [asyncio.create_task(state.call(3 * LARGE, 3 * LARGE)) for _ in range(5)]
        await until(lambda: (state.inside, state.budget.waiting) == (2, 3))
        assert state.budget.used == 6 * LARGE
        state.gate.set()
        assert await asyncio.gather(*calls) == [3 * LARGE] * 5
        await ended(state.budget)


async def test_what_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has announced a request and does not send it keeps its room for a while only."""
    monkeypatch.setattr("pullback_server.services.patience.UNSEEN_BYTES_A_SECOND", 1 << 30)
    async with serving(Patience(0.2)) as state:
        metadata = ((ANNOUNCEMENT, str(LIMIT)),)
        call = state.channel.stream_unary(PATH)(metadata=metadata, timeout=10)
        await until(lambda: state.budget.used == LIMIT)
        with pytest.raises(grpc.aio.AioRpcError, match="max_silent_seconds") as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await ended(state.budget)


async def test_large_requests_that_are_not_announced() -> None:
    """They are taken while there is room, else refused with a delay."""
    async with serving() as state:
        first = asyncio.create_task(state.call(6 * LARGE))
        await until(lambda: state.inside == 1)
        with pytest.raises(grpc.aio.AioRpcError, match="announce") as caught:
            await state.call(3 * LARGE)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(caught.value.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "200"
        state.gate.set()
        assert await first == 6 * LARGE
        await ended(state.budget)
        assert await state.call(3 * LARGE) == 3 * LARGE


@pytest.mark.parametrize("announced", [LIMIT + 1, None])
async def test_what_never_fits(announced: int | None) -> None:
    """It is refused at once, with both numbers."""
    async with serving() as state:
        with pytest.raises(grpc.aio.AioRpcError, match=rf"{LIMIT + 1} bytes.*{LIMIT}") as caught:
            await state.call(LIMIT + 1, announced)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert state.inside == 0


async def test_more_than_was_announced() -> None:
    """The rest is counted, too, and refused if there is no room for it."""
    async with serving() as state:
        state.gate.set()
        assert await state.call(5 * LARGE, 2 * LARGE) == 5 * LARGE
        await ended(state.budget)
        state.gate.clear()
        first = asyncio.create_task(state.call(5 * LARGE, 5 * LARGE))
        await until(lambda: state.inside == 2)
        with pytest.raises(grpc.aio.AioRpcError, match="no room"):
            await state.call(4 * LARGE, 2 * LARGE)
        state.gate.set()
        await first
        await ended(state.budget)


async def test_callers_who_leave() -> None:
    """They give back what they had, waiting or not."""
    async with serving() as state:
        calls = [asyncio.create_task(state.call(5 * LARGE, 5 * LARGE)) for _ in range(3)]
        await until(lambda: (state.inside, state.budget.waiting) == (1, 2))
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await ended(state.budget)
        assert state.budget.waiting == 0


@pytest.mark.parametrize("announced", ["", "-5", "a lot", "9" * 18, "9" * 5000])
async def test_announcements_that_are_none(announced: str) -> None:
    """They count as none; one that is too large is refused."""
    async with serving() as state:
        state.gate.set()
        call = state.channel.unary_unary(PATH)(b"abc", metadata=((ANNOUNCEMENT, announced),), timeout=10)
        if len(announced) == 18:
            with pytest.raises(grpc.aio.AioRpcError, match="max_message_bytes"):
                await call
        else:
            assert await call == b"3"
