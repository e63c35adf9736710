"""Has the messages of calls come in time: before gRPC would wait for them without end.

Streams that are answered message by message may be idle, and have bounds of their own (`services.lasting`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import grpc

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.calls import OpenCalls
from pullback_server.services.context import Context
from pullback_server.services.patience import Patience
from pullback_server.services.status import refuse
from pullback_server.services.writing import write_all

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]

_UNARY: Final[Callable[..., Handler]] = grpc.stream_unary_rpc_method_handler
_STREAM: Final[Callable[..., Handler]] = grpc.stream_stream_rpc_method_handler


class Hall:
    """Adds the handlers of services to a server that asks nobody who they are.

    Args:
        server: The server.
        patience: What waits for messages.
        calls: Where calls are counted that have none.
    """

    def __init__(self, server: grpc.aio.Server, patience: Patience, calls: OpenCalls) -> None:
        self._server = server
        self._patience = patience
        self._calls = calls

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds the handlers of services."""
        self._server.add_generic_rpc_handlers(
            tuple(Punctual(each, self._patience, self._calls) for each in handlers)
        )


class Punctual(grpc.GenericRpcHandler):
    """The handlers of a service, all of which take a stream: they ask for messages themselves.

    Args:
        handlers: The service's handlers.
        patience: What waits for messages.
        calls: Where calls are counted that have none.
    """

    def __init__(self, handlers: grpc.GenericRpcHandler, patience: Patience, calls: OpenCalls) -> None:
        self._handlers = handlers
        self._patience = patience
        self._calls = calls
        self._made: dict[str, tuple[Handler, Handler]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call."""
        handler = self._handlers.service(handler_call_details)
        if handler is None or (handler.request_streaming and handler.response_streaming):
            return handler
        method = handler_call_details.method
        known = self._made.get(method)
        if known is None or known[0] is not handler:
            known = self._made[method] = handler, self._making(handler)
        return known[1]

    def _making(self, handler: Any) -> Handler:
        if handler.request_streaming:
            make, behave = _UNARY, self._gathering(handler.stream_unary)
        elif handler.response_streaming:
            make, behave = _STREAM, self._spreading(handler.unary_stream)
        else:
            make, behave = _UNARY, self._answering(handler.unary_unary)
        return make(behave, handler.request_deserializer, handler.response_serializer)

    def _answering(self, answer: Behaviour) -> Behaviour:
        async def one(_: object, context: Context) -> Any:
            return await answer(await self._first(context), context)

        return one

    def _gathering(self, gather: Behaviour) -> Behaviour:
        async def many(_: object, context: Context) -> Any:
            return await gather(self._patience.messages(context, parts=True), context)

        return many

    def _spreading(self, spread: Behaviour) -> Behaviour:
        async def one(_: object, context: Context) -> None:
            await write_all(spread(await self._first(context), context), context)

        return one

    async def _first(self, context: Context) -> Any:
        """The one message of a call, which ends without it."""
        try:
            message = await self._patience.messages(context).read()
            if message is grpc.aio.EOF:
                raise service_error(Reason.MALFORMED_REQUEST, "the call has no request; send one message")
        except ServiceError as error:
            await self._refuse(context, error)
        return message

    async def _refuse(self, context: Context, error: ServiceError) -> None:
        try:
            await refuse(context, error)
        except grpc.aio.AbortError:
            # Whoever has gone is told nothing, and sees gRPC raise something else.
            self._calls.refuse(error)
            raise
