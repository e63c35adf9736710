"""Reads large requests when there is room for them, and counts what is in hand until its call has ended.

A client announces a request of more than a mebibyte in the metadata of its call. Such a call is answered by
a handler that asks for the message itself, and does so when there is room: until then HTTP/2's flow control
holds the message back in the client. A large request that was not announced has been read when the
handler is called, and is refused if there is no room.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.budget import LARGE, SMALL, Budget
from pullback_server.services.calls import OpenCalls
from pullback_server.services.context import Context
from pullback_server.services.holding import at_the_end
from pullback_server.services.requests.messages import check_message
from pullback_server.services.status import refuse
from pullback_server.tenants.callers import caller

ANNOUNCEMENT: Final = "pullback-request-bytes"
"""The metadata that says how many bytes a request has."""

_NUMBER: Final = re.compile("[0-9]{1,18}")

Unary = Callable[[bytes, Context], Awaitable[bytes]]


class Announced(grpc.GenericRpcHandler):
    """The handlers of a service, with the bytes of one unary method under a budget.

    Args:
        handlers: The service's handlers.
        path: The method, `/{package}.{service}/{method}`.
        budget: The budget for its requests.
        calls: Where calls are counted that wait for room.
        largest: The most bytes of a request; one that is announced to have more is not read at all.
    """

    def __init__(
        self,
        handlers: grpc.GenericRpcHandler,
        path: str,
        budget: Budget,
        calls: OpenCalls,
        largest: int = (1 << 31) - 1,
    ) -> None:
        self._largest = largest
        self._handlers = handlers
        self._path = path
        self._budget = budget
        self._calls = calls
        self._plain: grpc.RpcMethodHandler[Any, Any] | None = None

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call."""
        handler = self._handlers.service(handler_call_details)
        if handler is None or handler_call_details.method != self._path:
            return handler
        answer: Unary = handler.unary_unary  # type: ignore[assignment]
        announced = announced_bytes(handler_call_details.invocation_metadata)
        if announced <= LARGE:
            return self._counted(answer)
        return grpc.stream_unary_rpc_method_handler(self._when_there_is_room(answer, announced))

    def _counted(self, answer: Unary) -> grpc.RpcMethodHandler[Any, Any]:
        """The plain handler, which counts what it was given."""
        if self._plain is None:
            self._plain = grpc.unary_unary_rpc_method_handler(self._counting(answer))
        return self._plain

    def _counting(self, answer: Unary) -> Unary:
        async def counted(raw: bytes, context: Context) -> bytes:
            _tell_the_end(context)
            if len(raw) > SMALL:
                try:
                    self._budget.take_at_once(len(raw))
                except ServiceError as error:
                    await self._refuse(context, error)
                self._give_back_at_the_end(context, len(raw))
            return await answer(raw, context)

        return counted

    def _when_there_is_room(
        self, answer: Unary, announced: int
    ) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
        async def waiting(raws: AsyncIterator[bytes], context: Context) -> bytes:
            self._calls.add(context)
            _tell_the_end(context)
            try:
                check_message(announced, self._largest)
                await self._budget.take(announced)
                self._give_back_at_the_end(context, announced)
                raw = await _read(raws)
                if len(raw) > announced:
                    self._budget.take_at_once(len(raw) - announced)
                    self._give_back_at_the_end(context, len(raw) - announced)
            except ServiceError as error:
                await self._refuse(context, error)
            return await answer(raw, context)

        return waiting

    def _give_back_at_the_end(self, context: Context, nbytes: int) -> None:
        tenant = caller.get().tenant

        def give_back(_: object) -> None:
            self._budget.give_back(nbytes, tenant)

        # The stubs take objects of a class of their own; gRPC takes any callable.
        context.add_done_callback(give_back)  # type: ignore[arg-type]

    async def _refuse(self, context: Context, error: ServiceError) -> None:
        self._calls.refuse(error)
        await refuse(context, error)


def _tell_the_end(context: Context) -> None:
    # As above: any callable will do.
    at_the_end.set(context.add_done_callback)  # type: ignore[arg-type]


def announced_bytes(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """How many bytes the metadata of a call say that its request has; 0 if they do not."""
    for key, value in metadata or ():
        if key == ANNOUNCEMENT and _NUMBER.fullmatch(str(value)):
            return int(value)
    return 0


async def _read(raws: AsyncIterator[bytes]) -> bytes:
    raw = await anext(raws, None)
    if raw is None:
        raise service_error(Reason.MALFORMED_REQUEST, "the call has no request; send one message")
    return raw
