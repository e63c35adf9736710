"""Servers at ports of their own, which can be stopped and started again there."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pullback


@dataclass
class Replica:
    """One of several servers with the same functions.

    Attributes:
        port: Where it listens, whichever process it is.
        folder: Its data directory.
        log: What it has said.
        flags: Further flags.
    """

    port: int
    folder: Path
    log: Path
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None

    def start(self, *, wait: bool = True) -> None:
        """Starts it, and waits until it serves."""
        flags = ("--devices=cpu:1", f"--listen=127.0.0.1:{self.port}", f"--data-dir={self.folder}")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pullback_server", *flags, *self.flags],
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        if wait:
            self.until_serving()

    def until_serving(self) -> None:
        """Waits until health says so."""
        end = time.monotonic() + 60
        with pullback.connect(f"127.0.0.1:{self.port}") as client:
            while self._health(client) is not pullback.Health.SERVING:
                assert self.process is None or self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.05)

    def _health(self, client: pullback.Client) -> pullback.Health:
        try:
            return client.health(timeout=5)
        except pullback.PullbackError:
            return pullback.Health.UNKNOWN

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends it a signal, and waits until it has gone."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Replica]]:
    """Makes servers, and ends those that a test left running."""
    made: list[Replica] = []

    def make(*flags: str) -> Replica:
        folder = tmp_path_factory.mktemp("replica")
        made.append(Replica(_free_port(), folder / "data", folder / "log", flags))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.stop(signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port
