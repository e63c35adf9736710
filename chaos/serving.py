"""The server of a run, started again and again at the same address and on the same data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Final

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc

MARK: Final = "PULLBACK_CHAOS_RUN"
"""The variable by which processes of a run are known, whoever started them."""

WORKERS: Final = 3
"""How many worker processes there are when all is well: one for each device, and one to spare."""

_FLAGS: Final = (
    *("--devices=cpu:2", "--spare-workers=1", "--max-run-seconds=4", "--max-compile-seconds=30"),
    *("--worker-silent-seconds=10", "--drain-seconds=1", "--log-level=WARNING"),
)
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 90.0


class Server:
    """A server process and those that came before it.

    Args:
        folder: Where its data, its log and its temporary files are.
        tokens: The file with its tenants.
        mark: What its processes are known by.
        variables: Further environment variables.
    """

    def __init__(self, folder: Path, tokens: Path, mark: str, variables: dict[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log"
        self.temporary = folder / "tmp"
        self.address = f"127.0.0.1:{_free_port()}"
        self.socket = f"unix:{folder / 'socket'}"
        self.metrics_address = f"127.0.0.1:{_free_port()}"
        self.faults: list[str] = []
        self.pauses: list[tuple[float, float]] = []
        known = ",".join((MARK, *variables))
        self._flags = (*_FLAGS, f"--tenants-file={tokens}", f"--worker-environment={known}")
        self._variables = {**os.environ, **variables, MARK: mark, "TMPDIR": str(self.temporary)}
        self._process: subprocess.Popen[bytes] | None = None
        self._restarting = threading.Event()
        for each in (self.data, self.temporary):
            each.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        """The front's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def restarting(self) -> bool:
        """Whether it is being started again."""
        return self._restarting.is_set()

    def start(self) -> None:
        """Starts it, and waits until it serves."""
        command = [
            *(sys.executable, "-m", "pullback_server", f"--listen={self.address},{self.socket}"),
            *(f"--data-dir={self.data}", f"--metrics-listen={self.metrics_address}"),
        ]
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(
                [*command, *self._flags],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.serves():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start:\n{self.log_end()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Asks it to stop, and waits until it has."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.faults.append(f"the front did not stop within {_STOP_SECONDS:.0f} s")
            self._process.kill()
            self._process.wait()
        else:
            if status != 0:
                self.faults.append(f"the front ended with status {status}")

    def kill(self) -> None:
        """Kills the front; its workers notice."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self, *, killed: bool = False) -> None:
        """Stops it, or kills it, and starts it again."""
        began = time.monotonic()
        self._restarting.set()
        try:
            self.kill() if killed else self.stop()
            self.start()
        finally:
            self._restarting.clear()
            self.pauses.append((began, time.monotonic()))

    def metrics(self) -> dict[str, float]:
        """Its metrics, by name and labels as Prometheus reads them."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def serves(self) -> bool:
        """Whether health says SERVING."""
        try:
            with grpc.insecure_channel(self.address) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                state = stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status
        except grpc.RpcError:
            return False
        return bool(state == _SERVING)

    def lives(self) -> bool:
        """Whether the front runs."""
        return self._process is not None and self._process.poll() is None

    def workers(self) -> list[psutil.Process]:
        """The worker processes, spare ones as well."""
        try:
            return [child for child in psutil.Process(self.pid).children() if _is_worker(child)]
        except psutil.Error:
            return []

    def log_end(self) -> str:
        """The last of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "pullback_server.compute" in process.cmdline()
    except psutil.Error:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
