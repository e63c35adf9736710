"""Workers that loop, freeze, crash and are abandoned, under a real server: who is answered, and what."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import psutil
import pytest
from e2e.server.running import SERVING, Running, Start, details, formula, request

from pullback.program.container import Program, StableHloModule
from pullback.program.signature import Signature

# Counts up to its argument, which an infinite one never lets it reach.
COUNTING = b"""
func.func public @main(%limit: tensor<f64>) -> tensor<f64> {
  %zero = stablehlo.constant dense<0.0> : tensor<f64>
  %count = stablehlo.while(%i = %zero) : tensor<f64>
    cond {
      %more = stablehlo.compare LT, %i, %limit : (tensor<f64>, tensor<f64>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    } do {
      %one = stablehlo.constant dense<1.0> : tensor<f64>
      %next = stablehlo.add %i, %one : tensor<f64>
      stablehlo.return %next : tensor<f64>
    }
  return %count : tensor<f64>
}
"""
FOREVER = np.float64(np.inf)
X = np.array([1.0, 2.0, 3.0])
A = np.full((900, 900), 1e-3)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """Waits until a condition holds; gives how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def prepare(server: Running) -> Running:
    """Registers what the tests use."""
    for i, name in enumerate(("count", "tally")):  # a comment makes another program of it
        server.register(name, Program(StableHloModule(COUNTING + b"//" * i), Signature(())))
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    server.register("slow", formula("sum(a @ a @ a @ a)", a="f64[900,900]"))
    assert server.evaluate("count", "VALUE", np.float64(3))[0] == 3
    assert server.evaluate("square", "VALUE", X)[0] == 14
    return server


@pytest.fixture(scope="module")
def watched(start: Start) -> Running:
    """A server with two workers whose bounds are short."""
    flags = ("--max-run-seconds=30", "--worker-silent-seconds=5")
    return prepare(start("--devices=cpu:2", "--spare-workers=0", *flags))


def loop(server: Running, seconds: float, name: str = "count") -> grpc.Future:
    """Begins a call that never ends, with a deadline."""
    method = server.channel.unary_unary("/pullback.v1.EvaluationService/Evaluate")
    return method.future(request(name, "VALUE", FOREVER).SerializeToString(), timeout=seconds)


def pids(server: Running) -> set[int]:
    """The processes of the workers."""
    return {worker.pid for worker in server.workers()}


def test_health_while_all_are_busy(watched: Running) -> None:
    """While every worker computes for 10 s, health answers at once; afterwards all are free again.

    How soon it does is for `bench/` to measure: here others may use the machine.
    """
    before = watched.workers()
    loops = []
    for name in ("count", "tally"):  # each goes to the worker that has less in hand
        loops.append(loop(watched, 10.5, name))
        time.sleep(0.3)
    seconds, ends = [], time.monotonic() + 9.5
    assert len(before) == 2
    spent = [worker.cpu_times().user for worker in before]
    while time.monotonic() < ends:
        began = time.monotonic()
        assert watched.health() == SERVING
        seconds.append(time.monotonic() - began)
        time.sleep(0.05)
    assert not any(call.done() for call in loops)
    assert all(worker.cpu_times().user - since > 1 for worker, since in zip(before, spent, strict=True))
    assert np.median(seconds) < 0.05
    assert {call.exception().code() for call in loops} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    eventually(lambda: not {worker.pid for worker in before} & pids(watched), 30)
    eventually(lambda: watched.health() == SERVING)
    assert watched.evaluate("square", "VALUE", X)[0] == 14


def test_client_that_goes_away(watched: Running) -> None:
    """What a client leaves behind is ended; who computes beside it is answered."""
    eventually(lambda: len(pids(watched)) == 2)
    before = pids(watched)
    with ThreadPoolExecutor(2) as threads:
        call = loop(watched, 60.0)
        time.sleep(0.3)
        beside = [threads.submit(watched.evaluate, "slow", "GRADIENT", A) for _ in range(2)]
        call.cancel()
        assert eventually(lambda: len(before & pids(watched)) == 1, 30) < 10
        assert [each.result()[0].shape for each in beside] == [(900, 900)] * 2


def test_frozen_worker(watched: Running) -> None:
    """A worker whose process is stopped is replaced, and what it had in hand is answered by another."""
    eventually(lambda: len(pids(watched)) == 2)
    frozen = watched.workers()[0]
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(watched.evaluate, "slow", "GRADIENT", A) for _ in range(4)]
        time.sleep(0.2)
        frozen.send_signal(signal.SIGSTOP)
        assert [call.result()[0].shape for call in calls] == [(900, 900)] * 4
    eventually(lambda: frozen.pid not in pids(watched), 30)


def test_crash_beside_others(watched: Running) -> None:
    """What ran in a worker that crashed once is answered, and nothing is quarantined for it."""
    eventually(lambda: len(pids(watched)) == 2)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(watched.evaluate, "slow", "GRADIENT", A) for _ in range(4)]
        time.sleep(0.2)
        for worker in watched.workers():
            worker.send_signal(signal.SIGSEGV)
        assert [call.result()[0].shape for call in calls] == [(900, 900)] * 4
    assert watched.evaluate("slow", "VALUE", A)[0] > 0


def test_a_spare_takes_over(start: Start) -> None:
    """The process that waited takes the place of one that is killed, and another one waits then."""
    server = prepare(start("--spare-workers=1"))
    eventually(lambda: len(pids(server)) == 2)
    worker, spare = sorted(server.workers(), key=psutil.Process.create_time)
    worker.kill()
    assert server.evaluate("square", "VALUE", X)[0] == 14
    assert {worker.state for worker in server.call("AdministrationService/GetStatus").workers} == {"ready"}
    eventually(lambda: len(pids(server)) == 2)
    assert min(server.workers(), key=psutil.Process.create_time).pid == spare.pid


def test_joined_with_one_that_loops(start: Start) -> None:
    """Requests joined with one that never ends are answered; it is told why, and refused after a while."""
    server = prepare(start("--max-run-seconds=1", "--spare-workers=0"))
    server.evaluate("count", "VALUE", np.full(16, 2.0))
    limits = [np.float64(limit) for limit in (1, 2, 3, np.inf, 4, 5, 6)]
    with ThreadPoolExecutor(7) as threads:
        calls = [threads.submit(server.evaluate, "count", "VALUE", limit) for limit in limits]
        errors = [call.exception() for call in calls]
    assert [call.result()[0] for call in calls if call.exception() is None] == [1, 2, 3, 4, 5, 6]
    error = errors[3]
    assert isinstance(error, grpc.RpcError)
    _, info = details(error)
    assert info.reason in {"RUN_TIME_EXCEEDED", "QUARANTINED"}
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            server.evaluate("count", "VALUE", FOREVER)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    status, info = details(caught.value)
    assert info.reason == "QUARANTINED"
    assert "max_run_seconds" in status.message
    assert server.evaluate("square", "VALUE", X)[0] == 14
    assert psutil.pid_exists(server.process.pid)
