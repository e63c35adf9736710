"""What is left of a run: descriptors, shared memory, files, processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

from chaos.serving import MARK, WORKERS, Server
from chaos.watching import descriptors

_SETTLE_SECONDS: Final = 3.0
_LONGEST_SECONDS: Final = 40.0
# Connections that the kernel has not taken down yet.
_SPARE_DESCRIPTORS: Final = 6
# What the last client that was killed had shared, as long as garbage holds it that is not collected yet.
_SPARE_SEGMENTS: Final = 4
_AT_REST: Final = (
    *("pullback_open_calls", "pullback_open_streams", "pullback_in_flight"),
    *(f'pullback_bytes_in_flight{{of="{of}"}}' for of in ("requests", "results")),
    'pullback_arena_bytes{state="in_use"}',
)
_SHARED: Final = Path("/dev/shm")  # noqa: S108 -- it is looked at, not written to


def shared_segments() -> set[str]:
    """The names of segments of shared memory on this machine."""
    return {path.name for path in _SHARED.iterdir()} if _SHARED.is_dir() else set()


def open_in_the_end(server: Server) -> list[str]:
    """What a front that nobody calls any more has open beyond what a fresh one has; restarts the server."""
    used = _settled(server)
    faults = _in_hand(server)
    if len(server.workers()) != WORKERS:
        faults.append(f"there are {len(server.workers())} workers in the end, not {WORKERS}")
    server.restart()
    fresh = _settled(server)
    if len(used) > len(fresh) + _SPARE_DESCRIPTORS:
        count = f"{len(used)} descriptors, a fresh one {len(fresh)}"
        faults.append(f"the front has {count}: {_extra(used, fresh)}")
    segments = [sum("memfd" in name for name in names) for names in (used, fresh)]
    if segments[0] > segments[1] + _SPARE_SEGMENTS:
        faults.append(f"the front holds {segments[0]} segments of memory, a fresh one {segments[1]}")
    return faults


def _in_hand(server: Server) -> list[str]:
    """What the front says that it still has in hand, where nobody calls.

    Workers are probed and warmed now and then, which is given time to end.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (busy := _busy(server.metrics())) and time.monotonic() < deadline:
        time.sleep(0.5)
    return [f"{name} is {value:g} though nobody calls" for name, value in busy.items()]


def _busy(metrics: Mapping[str, float]) -> dict[str, float]:
    """Of what has to be 0 at rest, what is not; a metric that is missing is not."""
    names = [*_AT_REST, *(name for name in metrics if name.startswith("pullback_worker_in_hand{"))]
    return {name: value for name in names if (value := metrics.get(name, float("nan"))) != 0}


def _settled(server: Server) -> list[str]:
    """What the front has open once all its workers have come and nothing changes any more."""
    since, seen = time.monotonic(), -1
    deadline = since + _LONGEST_SECONDS
    while time.monotonic() < min(deadline, since + _SETTLE_SECONDS):
        now = len(descriptors(server.pid))
        if now != seen or len(server.workers()) != WORKERS:
            since, seen = time.monotonic(), now
        time.sleep(0.2)
    return descriptors(server.pid)


def left_behind(server: Server, mark: str, segments: set[str]) -> list[str]:
    """What a server that was stopped has left: processes of the run, segments, temporary files."""
    faults = []
    processes = [process for process in psutil.process_iter() if _marked(process, mark)]
    if processes:
        faults.append(f"processes are left: {[process.cmdline() for process in processes]}")
    if extra := {name for name in shared_segments() - segments if "pullback" in name}:
        faults.append(f"segments of shared memory are left: {sorted(extra)}")
    if files := [str(path) for path in server.temporary.rglob("*")]:
        faults.append(f"temporary files are left: {files[:10]}")
    if files := [
        str(path) for path in server.data.rglob("*") if "tmp" in path.name or path.name.endswith("~")
    ]:
        faults.append(f"unfinished files are left: {files[:10]}")
    return faults


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != psutil.Process().pid and process.environ().get(MARK) == mark
    except psutil.Error:
        return False


def _extra(used: list[str], fresh: list[str]) -> list[str]:
    known = {name.partition(":")[0] for name in fresh}
    return sorted({name for name in used if name.partition(":")[0] not in known})[:10] or sorted(used)[:10]
