"""The life of a server: start, restart, drain, stop, and every way to die."""

from __future__ import annotations

import json
import queue
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from e2e.server.running import NOT_SERVING, SERVING, Running, Start, details, end, formula, request
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pullback.v1 import evaluation_pb2

A = np.full((1500, 1500), 1e-3)
SLOW = formula("sum(a @ a @ a @ a)", a="f64[1500,1500]")


def refused(*flags: str) -> tuple[int, str]:
    """The exit status and the last line of a server that does not start."""
    command = [sys.executable, "-m", "pullback_server", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr.strip().splitlines()[-1]


def test_restart_keeps_functions(start: Start) -> None:
    """A function is there after a restart, and its first evaluation there uses the compilation cache."""
    first = start()
    before = first.register("f", formula("sum(x**2)", x="f64[3]"), labels={"a": "b"}).function
    assert first.evaluate("f", "GRADIENT", [1.0, 2.0, 3.0])[0].tolist() == [2, 4, 6]
    end(first)
    assert any((first.folder / "compiled").iterdir())
    second = start(folder=first.folder)
    assert second.call("FunctionService/ListFunctions").functions == [before]
    assert second.evaluate("f", "GRADIENT", [1.0, 2.0, 3.0])[0].tolist() == [2, 4, 6]


def test_restart_after_kill(start: Start) -> None:
    """What was registered before a kill -9 is there after it."""
    first = start()
    before = first.register("f", formula("sum(x**2)", x="f64[3]")).function
    first.process.kill()
    first.process.wait()
    assert start(folder=first.folder, wait=False).call("FunctionService/ListFunctions").functions == [before]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_everything(start: Start, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the server with status 0 and leave no process."""
    server = start("--devices=cpu:2")
    workers = server.workers()
    assert len(workers) == 2
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    assert not any(worker.is_running() for worker in workers)
    assert "Traceback" not in server.log.read_text()


def test_drain_finishes_what_is_in_flight(start: Start) -> None:
    """A call that runs when SIGTERM comes is answered; meanwhile health says NOT_SERVING."""
    server = start("--drain-seconds=1")
    server.register("slow", formula("sum(a @ a @ a @ a @ a @ a @ a @ a)", a="f64[1500,1500]"))
    with ThreadPoolExecutor(1) as threads:
        # What is small: gRPC closes the connection after the last answer, and one of many MB may be lost then
        # to a client that does not send again.
        call = threads.submit(server.evaluate, "slow", "VALUE", A)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.health() == NOT_SERVING
        np.testing.assert_allclose(call.result(30), [1500**2 * 1.5**7 * 1e-3], rtol=1e-9)
    assert server.process.wait(10) == 0


def test_watchers_of_health_hold_up_nothing(start: Start) -> None:
    """A watcher of health is told NOT_SERVING and does not keep the server from stopping."""
    server = start("--grace-seconds=60")
    stub = health_pb2_grpc.HealthStub(server.channel)
    states = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)
    assert next(states).status == SERVING
    server.process.send_signal(signal.SIGTERM)
    assert next(states).status == NOT_SERVING
    assert server.process.wait(10) == 0


def test_grace_has_an_end(start: Start) -> None:
    """An upload that its client leaves open is cut when the grace is over."""
    server = start("--grace-seconds=1")
    left = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        upload = threads.submit(
            server.call, "FunctionService/UploadProgram", (_ for _ in iter(left.wait, True))
        )
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        assert server.process.poll() is None
        assert server.process.wait(10) == 0
        with pytest.raises(grpc.RpcError):
            upload.result(10)
        left.set()


def test_streams_without_work_hold_up_nothing(start: Start) -> None:
    """A stream is told that the server stops, once it has answers to all that was read of it."""
    server = start("--grace-seconds=60")
    server.register("f", formula("sum(x**2)", x="f64[3]"))
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers = server.call("EvaluationService/EvaluateStream", iter(requests.get, None))
    requests.put(evaluation_pb2.EvaluateStreamRequest(id=7, request=request("f", "VALUE", [1.0, 2.0, 3.0])))
    assert next(answers).id == 7
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert (caught.value.code(), details(caught.value)[1].reason) == (
        grpc.StatusCode.UNAVAILABLE,
        "NOT_READY",
    )
    requests.put(None)


def test_second_signal_ends_the_grace(start: Start) -> None:
    """A second SIGTERM ends a server that waits for a call."""
    server = start("--drain-seconds=60")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0


def test_killed_front_leaves_no_worker(start: Start) -> None:
    """After kill -9 of the front its workers end, busy or idle."""
    server = start("--devices=cpu:2")
    server.register("slow", SLOW)
    workers = server.workers()
    calls = [server.channel.unary_unary("/pullback.v1.EvaluationService/Evaluate") for _ in range(2)]
    futures = [call.future(request("slow", "GRADIENT", A).SerializeToString()) for call in calls]
    time.sleep(0.3)
    server.process.kill()
    gone, alive = psutil.wait_procs(workers, timeout=5)
    assert (len(gone), alive) == (2, [])
    for future in futures:
        assert future.exception().code() is grpc.StatusCode.UNAVAILABLE


def test_exit_with_parent(start: Start) -> None:
    """A server that was asked to ends when its standard input is closed, and leaves no worker."""
    server = start("--exit-with-parent")
    workers = server.workers()
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(10) == 0
    assert not any(worker.is_running() for worker in workers)


def test_ends_although_the_input_is_null(tmp_path: Path) -> None:
    """With an empty standard input a server that watches it ends at once."""
    command = [sys.executable, "-m", "pullback_server", "--listen=127.0.0.1:0", "--devices=cpu:1"]
    with subprocess.Popen(
        [*command, "--exit-with-parent", f"--data-dir={tmp_path}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.wait(20) == 0


def test_address_in_use(start: Start, tmp_path: Path) -> None:
    """A second server on the same port does not start and says why."""
    server = start(wait=False)
    status, line = refused(f"--listen={server.address}", f"--data-dir={tmp_path}")
    assert status == 1
    assert f"cannot listen on {server.address}" in line


def test_address_of_the_metrics_in_use(start: Start, tmp_path: Path) -> None:
    """A server that cannot show its metrics ends, though it listens by then, and says why."""
    server = start(wait=False)
    flags = (f"--metrics-listen={server.address}", "--devices=cpu:1", "--spare-workers=0")
    status, line = refused("--listen=127.0.0.1:0", f"--data-dir={tmp_path}", *flags)
    assert status == 1
    assert "address already in use" in line


def test_directory_in_use(start: Start) -> None:
    """A second server on the same directory does not start and says which process has it."""
    server = start(wait=False)
    status, line = refused("--listen=127.0.0.1:0", f"--data-dir={server.folder}")
    assert status == 1
    assert str(server.process.pid) in line
    assert "--data-dir" in line


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (["--devices=gpu"], 1, '"cpu:N"'),
        (["--data-dir=/proc/nowhere"], 1, "/proc"),
        (["--max-batch=0"], 2, "max_batch cannot be '0'"),
        (["--config=/nowhere.toml"], 2, "/nowhere.toml"),
        (["--bogus"], 2, "--bogus"),
    ],
)
def test_settings_that_cannot_be(flags: list[str], status: int, words: str, tmp_path: Path) -> None:
    """A server with impossible settings does not start and says why in a line."""
    actual, line = refused("--listen=127.0.0.1:0", f"--data-dir={tmp_path}", *flags)
    assert (actual, words in line) == (status, True), line


def test_socket_file(start: Start, tmp_path: Path) -> None:
    """A server can listen on a Unix socket."""
    server = start(f"--listen=unix:{tmp_path}/socket")
    assert server.address == f"unix:{tmp_path}/socket"
    assert server.call("CapabilitiesService/GetCapabilities").limits.batch == 1 << 20


def test_several_addresses(start: Start, tmp_path: Path) -> None:
    """A server listens at each of its addresses; the files of sockets let in whom they should."""
    server = start(
        f"--listen=127.0.0.1:0, unix:{tmp_path}/a,unix:{tmp_path}/b", "--socket-mode=660", wait=False
    )
    addresses = server.address.split(",")
    assert addresses[1:] == [f"unix:{tmp_path}/a", f"unix:{tmp_path}/b"]
    for address in addresses:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(20)
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert files == dict.fromkeys(("a", "a.memory", "b", "b.memory"), 0o660)
    end(server)
    assert list(tmp_path.iterdir()) == []


def test_a_socket_in_use(start: Start, tmp_path: Path) -> None:
    """A second server leaves the socket of the first alone, and says why it does not start."""
    server = start(f"--listen=unix:{tmp_path}/socket")
    status, line = refused(f"--listen={server.address}", f"--data-dir={tmp_path}/data")
    assert (status, "another process listens" in line) == (1, True)
    assert server.health() == SERVING


def test_json_log(start: Start) -> None:
    """With --log-format=json front and worker write one object a line."""
    server = start("--log-format=json")
    server.workers()[0].kill()
    time.sleep(0.5)
    end(server)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert any("killed by SIGKILL" in line["message"] for line in lines)


def test_calls_while_starting(start: Start) -> None:
    """A call that comes before the worker is ready waits for it; lists are answered at once."""
    server = start(wait=False)
    assert list(server.call("FunctionService/ListFunctions", timeout=1).functions) == []
    assert server.register("f", formula("sum(x)", x="f64[3]")).created


def test_worker_that_cannot_start(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where workers cannot start, health says NOT_SERVING and calls fail with NOT_READY and a delay."""
    monkeypatch.setenv("JAX_ENABLE_X64", "maybe")
    server: Running = start(wait=False)
    time.sleep(6)
    assert server.health() == NOT_SERVING
    with pytest.raises(grpc.RpcError) as caught:
        server.register("f", formula("sum(x)", x="f64[3]"))
    status, info = details(caught.value)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_READY")
    assert len(status.details) == 2
    assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
