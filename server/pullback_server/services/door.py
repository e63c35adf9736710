"""Lets calls in whose callers are known, and turns the others away before anything of them is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc

from pullback_server.errors import AccessError, PressureError
from pullback_server.services.authentication import HEADER, Authentication
from pullback_server.services.calls import OpenCalls
from pullback_server.services.context import Context
from pullback_server.services.lasting import Streams
from pullback_server.services.patience import Patience
from pullback_server.services.punctual import Punctual
from pullback_server.services.status import refuse
from pullback_server.services.writing import write_all
from pullback_server.tenants.callers import caller
from pullback_server.tenants.identity import Identity

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]


class Door:
    """Adds the handlers of services to a server, with a `Doorkeeper` before each.

    Args:
        server: The server.
        authentication: What finds out who calls.
        streams: The streams that are open.
        calls: Where calls are counted while that is found out.
        patience: What waits for their messages.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        authentication: Authentication,
        streams: Streams,
        calls: OpenCalls,
        patience: Patience,
    ) -> None:
        self._server = server
        self._authentication = authentication
        self._streams = streams
        self._calls = calls
        self._patience = patience

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds the handlers of services."""
        self._server.add_generic_rpc_handlers(tuple(map(self._kept, handlers)))

    def _kept(self, handlers: grpc.GenericRpcHandler) -> Doorkeeper:
        punctual = Punctual(handlers, self._patience, self._calls)
        return Doorkeeper(punctual, self._authentication, self._streams, self._calls)


class Doorkeeper(grpc.GenericRpcHandler):
    """The handlers of a service, for callers who are known.

    Args:
        handlers: The service's handlers, all of which ask for messages themselves.
        authentication: What finds out who calls.
        streams: The streams that are open.
        calls: Where calls are counted while that is found out.
    """

    def __init__(
        self,
        handlers: grpc.GenericRpcHandler,
        authentication: Authentication,
        streams: Streams,
        calls: OpenCalls,
    ) -> None:
        self._handlers = handlers
        self._authentication = authentication
        self._streams = streams
        self._calls = calls

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call.

        Whose token came before has the service's own at once. The caller that is set here is that of this
        call alone, since gRPC has a task for each.
        """
        handler = self._handlers.service(handler_call_details)
        if handler is None:
            return None
        for key, value in handler_call_details.invocation_metadata or ():
            if key == HEADER:
                header = str(value)
                break
        else:
            header = None
        identity = self._authentication.known(header)
        if identity is None:
            return self._asking(handler, header)
        caller.set(identity.caller)
        return self._lasting(handler, header, identity) if handler.response_streaming else handler

    def _asking(self, handler: Any, header: str | None) -> Handler:
        """Has messages asked for once it is known who sends them."""

        async def one(raws: object, context: Context) -> Any:
            await self._begin(header, context)
            return await handler.stream_unary(raws, context)

        async def many(raws: object, context: Context) -> None:
            identity = await self._begin(header, context)
            await self._stream(partial(_answers, handler, raws, context), header, identity, context)

        return _made(handler, many if handler.response_streaming else one)

    def _lasting(self, handler: Handler, header: str | None, identity: Identity) -> Handler:
        async def many(raws: object, context: Context) -> None:
            await self._stream(partial(_answers, handler, raws, context), header, identity, context)

        return _made(handler, many)

    async def _begin(self, header: str | None, context: Context) -> Identity:
        """Finds out who calls; turns away who is not known."""
        self._calls.add(context)
        try:
            identity = await self._authentication.identify(header, context)
        except Exception as error:
            self._calls.refuse(error)
            await refuse(context, error)
            raise AssertionError from error  # it has raised
        caller.set(identity.caller)
        return identity

    async def _stream(
        self,
        work: Callable[[], Awaitable[None]],
        header: str | None,
        identity: Identity,
        context: Context,
    ) -> None:
        try:
            await self._streams.run(header, identity, context, work)
        except (AccessError, PressureError) as error:
            await refuse(context, error)


def _made(handler: Handler, behave: Behaviour) -> Handler:
    make: Callable[..., Handler] = (
        grpc.stream_stream_rpc_method_handler
        if handler.response_streaming
        else grpc.stream_unary_rpc_method_handler
    )
    return make(behave, handler.request_deserializer, handler.response_serializer)


async def _answers(handler: Any, raws: object, context: Context) -> None:
    await write_all(handler.stream_stream(raws, context), context)
