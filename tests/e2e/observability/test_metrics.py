"""Metrics of a real server: what was called is what Prometheus's own parser reads."""

from __future__ import annotations

import time
import urllib.error

import grpc
import numpy as np
import pytest
from e2e.observability.conftest import Watched
from e2e.server.running import request
from prometheus_client.parser import text_string_to_metric_families

from pullback.v1 import evaluation_pb2 as pb
from pullback_server.telemetry.metrics import METRICS

X = np.arange(3.0)


def test_every_metric_is_shown_once(watched: Watched) -> None:
    """The page has every metric that is defined, with its meaning, once, besides those of the process."""
    families = {family.name: family for family in text_string_to_metric_families(watched.page("/metrics"))}
    shown = {name for name in families if name.startswith("pullback_")}
    assert shown == {metric.name for metric in METRICS}
    assert all(families[metric.name].documentation == metric.meaning for metric in METRICS)
    assert "process_resident_memory_bytes" in families


def test_calls_and_derivatives_are_counted(watched: Watched) -> None:
    """Known calls change figures by their number: calls, points, latencies, failures, bytes, runs."""
    names = {
        "calls": ("pullback_calls_total", {"method": "EvaluationService/Evaluate", "code": "OK"}),
        "missing": ("pullback_calls_total", {"code": "NOT_FOUND"}),
        "gradients": ("pullback_evaluation_seconds_count", {"derivative": "gradient", "tenant": ""}),
        "points": ("pullback_points_total", {"derivative": "gradient"}),
        "failures": ("pullback_evaluation_failures_total", {"reason": "FUNCTION_NOT_FOUND"}),
        "queue": ("pullback_queue_seconds_count", {}),
    }
    before = {key: watched.figure(name, **labels) for key, (name, labels) in names.items()}
    received = watched.figure("pullback_received_bytes_total", method="EvaluationService/Evaluate")
    watched.server.evaluate("square", "GRADIENT", X)
    watched.server.evaluate("square", "GRADIENT", np.ones((5, 3)))
    watched.server.evaluate("square", "VALUE", X)
    with pytest.raises(grpc.RpcError):
        watched.server.evaluate("nowhere", "VALUE", X)
    after = {key: watched.figure(name, **labels) for key, (name, labels) in names.items()}
    grown = {key: after[key] - before[key] for key in names}
    expected = {"calls": 3, "missing": 1, "gradients": 2, "points": 6, "failures": 1, "queue": 3}
    assert grown == expected
    assert watched.figure("pullback_worker_runs_total", worker="cpu:0") >= 3
    assert watched.figure("pullback_received_bytes_total", method="EvaluationService/Evaluate") > received
    assert watched.figure("pullback_functions") == 2
    assert watched.figure("pullback_worker_ready") == 1
    assert watched.figure("pullback_worker_memory_bytes") > 1 << 20
    assert watched.figure("pullback_compile_seconds_sum") > 0


def test_probes(watched: Watched) -> None:
    """The probes say that the server lives and is ready; other pages are not there."""
    assert watched.page("/healthz") == "alive\n"
    assert watched.page("/readyz") == "ready\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        watched.page("/secret")


def test_streams_and_what_is_in_hand(watched: Watched) -> None:
    """While a stream is open and works on something, it is counted as open and the request as in flight."""
    big = np.full((1500, 1500), 1e-3)
    asked = pb.EvaluateStreamRequest(id=7, request=request("slow", "VALUE", big))
    answers = watched.server.call("EvaluationService/EvaluateStream", iter([asked]))
    deadline = time.monotonic() + 20
    while watched.figure("pullback_in_flight") == 0:
        assert time.monotonic() < deadline
    assert watched.figure("pullback_open_streams") == 1
    assert [answer.id for answer in answers] == [7]
    while watched.figure("pullback_open_streams") > 0:
        assert time.monotonic() < deadline
    assert watched.figure("pullback_calls_total", method="EvaluationService/EvaluateStream") == 1
