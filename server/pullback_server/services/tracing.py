"""Spans of calls: each joins the trace that its client says it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from inspect import isasyncgenfunction
from typing import Any

from pullback_server.errors import Code, ServiceError
from pullback_server.services.context import Context
from pullback_server.services.watching import Behaviour
from pullback_server.telemetry.tracing import Tracing


def spanned(answer: Behaviour, name: str, tracing: Tracing) -> Behaviour:
    """A behaviour each call of which is a span.

    Args:
        answer: The behaviour.
        name: Its method, `Service/Method`.
        tracing: What makes spans.
    """

    async def one(raw: Any, context: Context) -> Any:
        with tracing.call(name, _texts(context)) as span:
            try:
                return await answer(raw, context)
            except BaseException as error:
                tracing.fail(span, _code(error))
                raise

    async def many(raw: Any, context: Context) -> AsyncIterator[bytes]:
        with tracing.call(name, _texts(context)) as span:
            try:
                async with aclosing(answer(raw, context)) as responses:
                    async for response in responses:
                        yield response
            except BaseException as error:
                tracing.fail(span, _code(error))
                raise

    return many if isasyncgenfunction(answer) else one


def _texts(context: Context) -> dict[str, str]:
    metadata = context.invocation_metadata() or ()
    return {key: value for key, value in metadata if isinstance(value, str)}


def _code(error: BaseException) -> str:
    """The code with which a call ends: gRPC's own error is raised while ours is handled."""
    cause = error.__context__
    if isinstance(cause, ServiceError):
        return cause.code.value
    return Code.INTERNAL.value if isinstance(error, Exception) else "CANCELLED"
