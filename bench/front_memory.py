"""The memory of the front while 64 clients send requests of 8 MB and get as much back.

`python bench/front_memory.py --minutes 10` starts a server, keeps every client busy, each on a connection of
its own, and reads once a second what the kernel says of the front: VmRSS, and VmHWM, the most that it had.
It prints what goes into RESULTS.md; `--record` appends it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
import numpy as np

import pullback
from pullback._channel import options
from pullback.client import Client

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
NUMBERS: Final = 1_000_000
# Else all clients of a process share one connection.
OWN_CONNECTION: Final = ("grpc.use_local_subchannel_pool", 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the kernel says of the front, in MiB.

    Attributes:
        resident: What it has in memory, all of it (VmRSS).
        shared: Of that, what it shares with the workers (RssShmem).
        peak: The most that it had (VmHWM).
    """

    resident: float
    shared: float
    peak: float


class Load:
    """Clients that evaluate without a pause.

    Args:
        address: The server's.
        clients: How many.
    """

    def __init__(self, address: str, clients: int) -> None:
        self.calls = 0
        self.failures = list[str]()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, args=(address,)) for _ in range(clients)]

    def start(self) -> None:
        """Lets them begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends when they all have ended."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, address: str) -> None:
        x = np.ones(NUMBERS)
        channel = grpc.insecure_channel(address, [*options(address), OWN_CONNECTION])
        with Client(channel, address, timeout=300.0) as client:
            gradient = client.function("squares").grad
            while not self._over.is_set():
                try:
                    assert gradient(x)[-1] == 2.0
                except pullback.PullbackError as error:
                    self._count(f"{error.code} {error.reason}")
                else:
                    self._count()

    def _count(self, failure: str = "") -> None:
        with self._lock:
            self.calls += not failure
            self.failures += [failure] if failure else []


@contextmanager
def server(limit: str) -> Iterator[tuple[str, int]]:
    """A server with a budget; gives its address and the process id of its front."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--devices=cpu", "--listen=127.0.0.1:0", f"--data-dir={folder}", "--exit-with-parent"]
        command = [sys.executable, "-m", "pullback_server", *flags, f"--max-bytes-in-flight={limit}"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1], process.pid
            process.terminate()


def sample(pid: int) -> Sample:
    """The memory of a process now."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    kibibytes = {line[0]: int(line[1]) for line in lines if len(line) == 3 and line[2] == "kB"}
    return Sample(*(kibibytes[f"{name}:"] / 1024 for name in ("VmRSS", "RssShmem", "VmHWM")))


def measure(limit: str, clients: int, minutes: float) -> str:
    """The row of one run."""
    with server(limit) as (address, pid):
        with pullback.connect(address, timeout=300.0) as client:
            while client.health() is not pullback.Health.SERVING:
                time.sleep(0.1)
            squares = client.register(pullback.Formula("sum(x**2)", x=f"f64[{NUMBERS}]"), name="squares")
            squares.grad(np.ones(NUMBERS))
        idle = sample(pid)
        load = Load(address, clients)
        load.start()
        samples = list(_watch(pid, minutes * 60.0))
        load.stop()
    return _row(limit, clients, idle, samples, load)


def _watch(pid: int, seconds: float) -> Iterator[Sample]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(1.0)
        yield sample(pid)


def _row(limit: str, clients: int, idle: Sample, samples: list[Sample], load: Load) -> str:
    fifth = len(samples) // 5
    second, last = (
        statistics.median(each.resident for each in part)
        for part in (samples[fifth : 2 * fifth + 1], samples[-fifth - 1 :])
    )
    numbers = (idle.resident, samples[-1].peak, second, last)
    shared = max(each.shared for each in samples)
    calls = f"{load.calls} calls, {len(load.failures)} failed {sorted(set(load.failures)) or ''}"
    return (
        f"| {clients} | {limit} | {len(samples)} s | "
        + " | ".join(f"{number:,.0f} MiB" for number in numbers)
        + f" | {shared:,.0f} MiB | {calls.strip()} |"
    )


def report(rows: list[str]) -> str:
    """A section of RESULTS.md."""
    machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            f"## {datetime.now(UTC):%Y-%m-%d}: memory of the front, with 8 MB each way",
            "",
            f"{machine}, Python {platform.python_version()}; `bench/front_memory.py`: VmRSS and VmHWM once a",
            "second. Early and late are medians of the second and of the last fifth of the time.",
            "",
            "| clients | `max_bytes_in_flight` | for | idle | peak | early | late | shared memory | calls |",
            f"|{' ---: |' * 8} --- |",
            *rows,
        ]
    )


def main() -> None:
    """Measures and prints, and records with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--limit", nargs="+", default=["256MiB"], help="max_bytes_in_flight, one run each")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    arguments = parser.parse_args()
    rows = [measure(limit, arguments.clients, arguments.minutes) for limit in arguments.limit]
    print(report(rows))
    if arguments.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report(rows)}\n")


if __name__ == "__main__":
    main()
