"""Watches the calls of a method: how they end, and how many bytes pass. Without it a call is not touched."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final

from pullback_server.errors import Code, ServiceError
from pullback_server.model.tickets import ticket
from pullback_server.services.context import Context
from pullback_server.telemetry.calls import MethodCalls
from pullback_server.telemetry.crashes import Crashes
from pullback_server.telemetry.requests import method

Behaviour = Callable[[Any, Context], Any]
Watching = Callable[[Behaviour, MethodCalls, Crashes], Behaviour]
Decode = Callable[[bytes], Any]
Encode = Callable[[Any], bytes]

_CANCELLED: Final = "CANCELLED"


def counted(decode: Decode, encode: Encode, calls: MethodCalls) -> tuple[Decode, Encode]:
    """What reads and writes messages, with their bytes counted."""

    def count_received(raw: bytes) -> Any:
        calls.received += len(raw)
        return decode(raw)

    def count_sent(message: Any) -> bytes:
        raw = encode(message)
        calls.sent += len(raw)
        return raw

    return count_received, count_sent


def watched(answer: Behaviour, calls: MethodCalls, crashes: Crashes) -> Behaviour:
    """A behaviour that gives one answer, with its calls counted."""

    async def watching(raw: Any, context: Context) -> Any:
        began = time.monotonic()
        method.set(calls.name)
        try:
            response = await answer(raw, context)
        except BaseException as error:
            calls.end(ticket.get().tenant, time.monotonic() - began, _code(error, context, crashes))
            raise
        calls.end(ticket.get().tenant, time.monotonic() - began)
        return response

    return watching


def watched_stream(answer: Behaviour, calls: MethodCalls, crashes: Crashes) -> Behaviour:
    """A behaviour that reads a stream, with its calls counted, also while they are open."""
    inner = watched(answer, calls, crashes)

    async def watching(raw: Any, context: Context) -> Any:
        calls.open += 1
        try:
            return await inner(raw, context)
        finally:
            calls.open -= 1

    return watching


def watched_answers(answer: Behaviour, calls: MethodCalls, crashes: Crashes) -> Behaviour:
    """A behaviour that gives a stream of answers, with its calls counted, also while they are open."""

    async def watching(raw: Any, context: Context) -> AsyncIterator[bytes]:
        began = time.monotonic()
        method.set(calls.name)
        calls.open += 1
        code = Code.INTERNAL.value
        try:
            async with aclosing(answer(raw, context)) as responses:
                async for response in responses:
                    yield response
            code = "OK"
        except BaseException as error:
            code = _code(error, context, crashes)
            raise
        finally:
            calls.open -= 1
            calls.end(ticket.get().tenant, time.monotonic() - began, code)

    return watching


def _code(error: BaseException, context: Context, crashes: Crashes) -> str:
    """The code with which a call ends; what nobody foresaw leaves a file behind.

    gRPC ends a call by an error of its own, raised while the service's error was handled.
    """
    if isinstance(error, CancelledError | GeneratorExit):
        remaining = context.time_remaining()
        return Code.DEADLINE_EXCEEDED.value if remaining is not None and remaining <= 0 else _CANCELLED
    cause = error.__context__
    if isinstance(cause, ServiceError):
        return cause.code.value
    crashes.unforeseen(cause or error)
    return Code.INTERNAL.value
