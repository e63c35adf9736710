"""Spans of calls, for programs that use OpenTelemetry; without it this module touches nothing.

A client that is connected after OpenTelemetry was imported makes a span of each call on the wire, one for
each try, and sends the W3C trace context along, so that a server's spans join the trace.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any, Final

import grpc

_TRACE: Final = "opentelemetry.trace"
_TRACER: Final = "pullback"


def traced(channel: Any) -> Any:
    """The channel, of either twin; with spans of its calls if this process has loaded OpenTelemetry."""
    return channel if sys.modules.get(_TRACE) is None else _Traced(channel)


class _Traced:
    """A channel whose calls have spans.

    Args:
        channel: The channel.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def unary_unary(self, path: str, *arguments: Any) -> Any:
        """A method that takes one message and gives one."""
        return _Method(self._channel.unary_unary(path, *arguments), path)

    def unary_stream(self, path: str, *arguments: Any) -> Any:
        """A method that takes one message and gives many."""
        return _Method(self._channel.unary_stream(path, *arguments), path)

    def stream_unary(self, path: str, *arguments: Any) -> Any:
        """A method that takes many messages and gives one."""
        return _Method(self._channel.stream_unary(path, *arguments), path)

    def stream_stream(self, path: str, *arguments: Any) -> Any:
        """A method that takes many messages and gives many."""
        return _Method(self._channel.stream_stream(path, *arguments), path)

    def close(self) -> Any:
        """Closes the channel; of the asynchronous twin, what has to be awaited."""
        return self._channel.close()


class _Method:
    """A method of a channel, each call of which is a span."""

    def __init__(self, method: Any, path: str) -> None:
        self._method = method
        self._trace = importlib.import_module(_TRACE)
        self._inject = importlib.import_module("opentelemetry.propagate").inject
        self._name = path.removeprefix("/")
        service, _, name = self._name.rpartition("/")
        self._attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

    def __call__(self, *arguments: Any, metadata: Any = None, **options: Any) -> Any:
        return self._spanned(self._method, arguments, metadata, options)

    def future(self, *arguments: Any, metadata: Any = None, **options: Any) -> Any:
        """Calls the method, and gives the future of its answer."""
        return self._spanned(self._method.future, arguments, metadata, options)

    def _spanned(self, call: Any, arguments: Any, metadata: Any, options: Any) -> Any:
        """Calls; the span ends with the call, be that now or later."""
        tracer = self._trace.get_tracer(_TRACER)
        span = tracer.start_span(self._name, kind=self._trace.SpanKind.CLIENT, attributes=self._attributes)
        carrier: dict[str, str] = {}
        self._inject(carrier, self._trace.set_span_in_context(span))
        try:
            answer = call(*arguments, metadata=(*(metadata or ()), *carrier.items()), **options)
        except BaseException as error:
            self._end(span, error.code() if isinstance(error, grpc.Call) else None)
            raise
        if hasattr(answer, "add_done_callback"):
            answer.add_done_callback(lambda ended: self._end_with(span, ended))
        else:
            self._end(span, grpc.StatusCode.OK)
        return answer

    def _end_with(self, span: Any, ended: Any) -> None:
        """Ends the span of a call that has ended; the asynchronous twin's has to be asked how."""
        code = ended.code()
        if isawaitable(code):
            _keep(asyncio.ensure_future(self._end_later(span, code)))
        else:
            self._end(span, code)

    async def _end_later(self, span: Any, code: Awaitable[grpc.StatusCode]) -> None:
        self._end(span, await code)

    def _end(self, span: Any, code: grpc.StatusCode | None) -> None:
        name = "UNKNOWN" if code is None else code.name
        span.set_attribute("rpc.grpc.status_code", 2 if code is None else code.value[0])
        if code is not grpc.StatusCode.OK:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, name))
        span.end()


_ENDING: Final[set[asyncio.Future[None]]] = set()


def _keep(ending: asyncio.Future[None]) -> None:
    """Keeps a task, of which the loop alone has no more than a weak reference."""
    _ENDING.add(ending)
    ending.add_done_callback(_ENDING.discard)
