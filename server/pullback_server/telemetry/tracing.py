"""Traces by OpenTelemetry, which is loaded only where traces are wanted.

Workers need none of it: what they did is known from the timing that comes with results, and told from here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from pullback_server.model.evaluation import Timing
from pullback_server.telemetry.recorder import Began, derivative_of

_NAME: Final = "pullback_server"
_OTLP: Final = "otlp"
_NANOSECONDS: Final = 1_000_000_000


class TracingError(Exception):
    """Traces are wanted, and what they need is not installed."""


class Tracing:
    """Makes spans.

    Args:
        trace: OpenTelemetry's module of that name.
        extract: What reads the context of a trace from metadata.
    """

    def __init__(self, trace: Any, extract: Any) -> None:
        self._trace = trace
        self._extract = extract
        self._tracer = trace.get_tracer(_NAME)

    def call(self, name: str, metadata: dict[str, str]) -> Any:
        """The span of a call, current inside the block that it is entered for.

        Args:
            name: `Service/Method`.
            metadata: What came with the call.
        """
        service, _, method = name.partition("/")
        return self._tracer.start_as_current_span(
            name,
            context=self._extract(metadata),
            kind=self._trace.SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            record_exception=False,
            set_status_on_exception=False,
        )

    def fail(self, span: Any, code: str) -> None:
        """Says with which code a call has failed."""
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, code))

    def evaluation(self, began: Began, seconds: float, timing: Timing) -> None:
        """Tells of an evaluation that has ended, within the current span.

        Times of waiting, compiling and running are exact; between them lie the ways between the processes,
        which are taken to be equally long.
        """
        end = time.time_ns()
        begin = end - _nanoseconds(seconds)
        way = max(seconds - timing.queue - timing.compile - timing.execute, 0.0) / 2
        with self._tracer.start_as_current_span(
            "evaluate", start_time=begin, end_on_exit=False, attributes=_attributes(began, timing)
        ) as span:
            at = self._part("queue", begin, timing.queue)
            at = self._part("compile", at + _nanoseconds(way), timing.compile)
            self._part("execute", at, timing.execute)
        span.end(end)

    def _part(self, name: str, begin: int, seconds: float) -> int:
        """Tells of a part of an evaluation, if it took any time; gives when it ended."""
        end = begin + _nanoseconds(seconds)
        if seconds > 0:
            self._tracer.start_span(name, start_time=begin).end(end)
        return end


def start_tracing() -> Tracing:
    """Sets OpenTelemetry up as its own environment variables say, unless that was done before.

    Raises:
        TracingError: If its SDK or the exporter is not installed.
    """
    try:
        trace = import_module("opentelemetry.trace")
        sdk = import_module("opentelemetry.sdk.trace")
        processors = import_module("opentelemetry.sdk.trace.export")
    except ModuleNotFoundError as error:
        raise TracingError("traces need OpenTelemetry's SDK; run pip install 'pullback[tracing]'") from error
    if not isinstance(trace.get_tracer_provider(), sdk.TracerProvider):
        provider = sdk.TracerProvider()
        for exporter in _exporters():
            provider.add_span_processor(processors.BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
    return Tracing(trace, import_module("opentelemetry.propagate").extract)


def _exporters() -> Iterator[Any]:
    """Those that `OTEL_TRACES_EXPORTER` names, as packages offer them."""
    for name in os.environ.get("OTEL_TRACES_EXPORTER", _OTLP).split(","):
        if name.strip() == "none":
            continue
        offered = _offered(name.strip())
        found = list(entry_points(group="opentelemetry_traces_exporter", name=offered))
        if not found:
            raise TracingError(
                f"no package exports traces to {name.strip()!r} (OTEL_TRACES_EXPORTER); install one, such "
                "as opentelemetry-exporter-otlp, or set it to console"
            )
        yield found[0].load()()


def _offered(name: str) -> str:
    """The name under which an exporter is offered; OTLP goes over one of two protocols."""
    if name != _OTLP:
        return name
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    return "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"


def _attributes(began: Began, timing: Timing) -> dict[str, str | int]:
    _, request_id, tenant, function, kind, points = began
    attributes: dict[str, str | int] = {
        "pullback.request_id": request_id,
        "pullback.tenant": tenant,
        "pullback.function": function,
        "pullback.derivative": derivative_of(kind),
        "pullback.points": 1 if points is None else points,
        "pullback.batch": timing.batch,
        "pullback.padding": timing.padding,
        "pullback.worker": timing.worker,
    }
    return {name: value for name, value in attributes.items() if value != ""}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANOSECONDS)
