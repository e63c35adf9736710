"""The client of Pullback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pullback
from driving.loops import AsyncCall, Call, Maker, Submit
from pullback import aio


def ways(address: str) -> Mapping[str, Maker]:
    """How Pullback can be called; the address is JSON, `{"tcp": ..., "unix": ...}`."""
    clients = _Clients(**json.loads(address))
    return {
        "one": lambda _: clients.blocking(clients.tcp),
        "one unix": lambda _: clients.blocking(clients.unix),
        "task": lambda _: clients.awaited(),
        "stream": lambda _: clients.streamed_awaited(),
        "stream futures": lambda _: clients.streamed(),
        "joined threads": lambda _: clients.joined(),
        "joined tasks": lambda _: clients.joined_awaited(),
        "batch": lambda _: clients.blocking(clients.tcp),
        "batch unix": lambda _: clients.blocking(clients.unix),
        "hessian": lambda _: clients.hessian(),
    }


class _Clients:
    """Clients of one server.

    Args:
        tcp: Where it listens for clients on any machine.
        unix: Where it listens for clients on this one.
    """

    def __init__(self, tcp: str, unix: str) -> None:
        self.tcp, self.unix = tcp, unix

    def blocking(self, address: str) -> Call:
        return pullback.connect(address).function("rosenbrock").grad

    def hessian(self) -> Call:
        return pullback.connect(self.tcp).function("heavy").hessian

    async def awaited(self) -> AsyncCall:
        function = await aio.connect(self.tcp).function("rosenbrock")
        return function.grad

    def joined(self) -> Call:
        return self._shared.function("rosenbrock").grad

    async def joined_awaited(self) -> AsyncCall:
        return (await self._awaited_shared.function("rosenbrock")).grad

    def streamed(self) -> Submit:
        stream = pullback.connect(self.tcp).stream(in_flight=64)
        return stream.function(self._shared.function("rosenbrock")).grad

    async def streamed_awaited(self) -> AsyncCall:
        function = await self._awaited_shared.function("rosenbrock")
        streamed: AsyncCall = self._stream.function(function).grad
        return streamed

    @cached_property
    def _shared(self) -> pullback.Client:
        return pullback.connect(self.tcp)

    @cached_property
    def _awaited_shared(self) -> aio.AsyncClient:
        return aio.connect(self.tcp)

    @cached_property
    def _stream(self) -> Any:
        return self._awaited_shared.stream(in_flight=64)
