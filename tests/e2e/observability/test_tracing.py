"""Traces: one across a client and a real server, which tells its spans on its standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import pullback

X = np.arange(3.0)


@dataclass
class Traced:
    """A client of a server that traces, and the spans of both."""

    process: subprocess.Popen[str]
    client: pullback.Client
    exporter: InMemorySpanExporter
    spans: list[dict[str, Any]] = field(default_factory=list)

    def stop(self) -> list[dict[str, Any]]:
        """Ends the server; gives its spans."""
        self.client.close()
        self.process.terminate()
        text, _ = self.process.communicate(timeout=60)
        decoder, spans = json.JSONDecoder(), []
        while (begin := text.find("{")) >= 0:
            span, end = decoder.raw_decode(text[begin:])
            spans.append(span)
            text = text[begin + end :]
        return spans


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Where the spans of this process go, which has OpenTelemetry set up as a user's program has."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture(scope="module")
def traced(exporter: InMemorySpanExporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """A client and a server that trace, for all tests; the last one ends the server."""
    command = [sys.executable, "-m", "pullback_server", "--devices=cpu:1", "--listen=127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, f"--data-dir={tmp_path_factory.mktemp('data')}", "--tracing", "--drain-seconds=0"],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "console", "OTEL_BSP_SCHEDULE_DELAY": "100"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    client = pullback.connect(process.stdout.readline().split()[-1], join=False)
    yield Traced(process, client, exporter)
    client.close()
    with process:
        process.kill()


async def test_the_asynchronous_twin(traced: Traced) -> None:
    """Its calls have spans as well, and streams one for the whole stream."""
    traced.exporter.clear()
    async with pullback.aio.connect(traced.client.address, join=False) as client:
        f = await client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="g")
        assert await f(X) == 5.0
        with pytest.raises(pullback.NotFoundError):
            await client.function("nowhere")
    spans = {span.name: span for span in traced.exporter.get_finished_spans()}
    assert spans["pullback.v1.EvaluationService/Evaluate"].status.is_ok
    assert spans["pullback.v1.FunctionService/GetFunction"].status.description == "NOT_FOUND"


def test_one_trace(traced: Traced) -> None:
    """The user's span, the client's, the server's and those of the worker's work are one trace.

    A failed call has its code in the spans of both sides.
    """
    f = traced.client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="f")
    traced.exporter.clear()
    with trace.get_tracer("user").start_as_current_span("user") as user:
        np.testing.assert_array_equal(f.grad(X), 2 * X)
    with pytest.raises(pullback.NotFoundError):
        traced.client.function("nowhere")
    own = {span.name: span for span in traced.exporter.get_finished_spans()}
    server = {span["name"]: span for span in traced.stop()}
    call = own["pullback.v1.EvaluationService/Evaluate"]
    assert call.parent is not None
    assert call.parent.span_id == user.get_span_context().span_id
    begun = server["EvaluationService/Evaluate"]
    assert begun["parent_id"] == _id(call)
    ids = {name: span["context"]["trace_id"] for name, span in server.items()}
    whole = f"0x{user.get_span_context().trace_id:032x}"
    parts = ("EvaluationService/Evaluate", "evaluate", "compile", "execute")
    assert {ids[part] for part in parts} == {whole}
    assert server["evaluate"]["parent_id"] == begun["context"]["span_id"]
    assert server["compile"]["parent_id"] == server["evaluate"]["context"]["span_id"]
    assert server["evaluate"]["attributes"]["pullback.derivative"] == "gradient"
    assert server["evaluate"]["attributes"]["pullback.worker"] == "cpu:0"
    for part in ("compile", "execute"):
        assert server["evaluate"]["start_time"] <= server[part]["start_time"]
        assert server[part]["end_time"] <= server["evaluate"]["end_time"]
    refused = own["pullback.v1.FunctionService/GetFunction"]
    assert (refused.status.status_code, refused.status.description) == (trace.StatusCode.ERROR, "NOT_FOUND")
    assert server["FunctionService/GetFunction"]["status"]["description"] == "NOT_FOUND"


def _id(span: ReadableSpan) -> str:
    return f"0x{span.context.span_id:016x}"
