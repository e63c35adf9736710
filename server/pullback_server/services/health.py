"""grpc.health.v1: the health of the workers, which answers at once whatever they compute.

Everybody is answered, so nobody may hold up others: a watcher that does not read waits alone, and there may
be so many calls only. The servicer of grpcio-health-checking writes to watchers under a lock: the first one
that does not read has all others wait, and the server that stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME

from pullback_server.engine.interface import Engine
from pullback_server.errors import Reason, RequestError, ServiceError, service_error
from pullback_server.services.context import Context
from pullback_server.services.status import abort
from pullback_server.services.visitors import Visitors

Answer: TypeAlias = health_pb2.HealthCheckResponse
_SERVING: Final[int] = Answer.SERVING
_NOT_SERVING: Final[int] = Answer.NOT_SERVING
_UNKNOWN: Final[int] = Answer.SERVICE_UNKNOWN


class Health:
    """Tells whether the server as a whole, and each service, can take requests.

    Args:
        engine: Whose workers must be ready.
        services: The full names of the services.
        most: The most calls at a time.
    """

    def __init__(self, engine: Engine, services: Iterable[str], most: int = 1024) -> None:
        self._engine = engine
        self._services = frozenset(("", *services))
        self._visitors = Visitors(max(most, 1))
        self._draining = False
        self._news = asyncio.Event()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Puts the service on a server."""
        write: Any = Answer.SerializeToString
        # Both ask for the message themselves, once it is their turn.
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Check": grpc.stream_unary_rpc_method_handler(self._check, None, write),
            "Watch": grpc.stream_stream_rpc_method_handler(self._watch, None, write),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, methods),))

    async def follow(self) -> None:
        """Follows the engine's state until cancelled."""
        while True:
            self._wake()
            await self._engine.changed()

    def drain(self) -> None:
        """Says NOT_SERVING from now on, whatever the engine's state."""
        self._draining = True
        self._wake()

    def _wake(self) -> None:
        """Has all watchers look."""
        self._news.set()
        self._news = asyncio.Event()

    def _state(self, service: str) -> int:
        if service not in self._services:
            return _UNKNOWN
        return _SERVING if self._engine.ready and not self._draining else _NOT_SERVING

    async def _check(self, _: object, context: Context) -> Answer:
        try:
            with self._visitors.visit(context.peer()):
                state = self._state(await self._service(context))
        except ServiceError as error:
            await abort(context, error)
            raise AssertionError from error  # abort has raised
        if state == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "the server has no service of this name")
        return Answer(status=state)

    async def _watch(self, _: object, context: Context) -> None:
        try:
            with self._visitors.visit(context.peer()):
                service = await self._service(context)
                with suppress(grpc.aio.InternalError):  # who watched has gone
                    await self._tell(service, context)
        except RequestError as error:
            await abort(context, error)
        except ServiceError as error:
            # Who hears this goes on without health; with another code it would take the server to be ill
            # (gRFC A17).
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, error.message)

    async def _service(self, context: Context) -> str:
        raw = await self._visitors.message(context)
        try:
            service: str = health_pb2.HealthCheckRequest.FromString(raw).service
        except DecodeError as error:
            raise service_error(Reason.MALFORMED_REQUEST, f"the request cannot be read: {error}") from error
        return service

    async def _tell(self, service: str, context: Context) -> None:
        """Tells one watcher of each state, or of the last where it was slow."""
        told = None
        while True:
            news, state = self._news, self._state(service)
            if state != told:
                await context.write(Answer(status=state))
                told = state
            await news.wait()
