"""Puts services on the wire that are gRPC's own, such as health, so that they refuse as ours do.

Left to themselves they end a call whose message cannot be read with UNKNOWN, and log a traceback.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from pullback_server.errors import Reason, service_error
from pullback_server.services.context import Context
from pullback_server.services.door import Door
from pullback_server.services.punctual import Hall
from pullback_server.services.status import abort


class Guard:
    """Takes a service's handlers, as generated code adds them to a server, and adds guarded ones.

    Args:
        server: The server, or its door.
    """

    def __init__(self, server: grpc.aio.Server | Door | Hall) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds the handlers of a service."""
        self._server.add_generic_rpc_handlers(tuple(map(_Guarded, handlers)))

    def add_registered_method_handlers(
        self, service: str, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Leaves out what generated code adds a second time, for servers that look methods up by name."""


class _Guarded(grpc.GenericRpcHandler):
    def __init__(self, inner: grpc.GenericRpcHandler) -> None:
        self._inner = inner

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler: Any = self._inner.service(handler_call_details)
        if handler is None:
            return None
        if handler.stream_stream is not None:
            return _both(handler)
        behaviour = handler.unary_stream or handler.unary_unary
        # What a service leaves to its base class is not there, and gRPC says so itself.
        return _one(handler, behaviour) if inspect.iscoroutinefunction(behaviour) else None


def _one(handler: Any, behaviour: Any) -> grpc.RpcMethodHandler[Any, Any]:
    async def answer(raw: bytes, context: Context) -> Any:
        return await behaviour(await _read(handler, raw, context), context)

    make: Any = (
        grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.unary_unary_rpc_method_handler
    )
    made: grpc.RpcMethodHandler[Any, Any] = make(answer, None, handler.response_serializer)
    return made


def _both(handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
    async def requests(raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        async for raw in raws:
            yield await _read(handler, raw, context)

    async def answer(raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        async for response in handler.stream_stream(requests(raws, context), context):
            yield response

    make: Any = grpc.stream_stream_rpc_method_handler
    made: grpc.RpcMethodHandler[Any, Any] = make(answer, None, handler.response_serializer)
    return made


async def _read(handler: Any, raw: bytes, context: Context) -> Any:
    try:
        return handler.request_deserializer(raw)
    except DecodeError as error:
        await abort(context, service_error(Reason.MALFORMED_REQUEST, f"the request cannot be read: {error}"))
        raise AssertionError from error  # abort has raised
