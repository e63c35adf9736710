"""A clock that can be set for a process alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.clock import Clock, faketime


def test_a_clock_that_steps(tmp_path: Path) -> None:
    """A process sees the wall clock step while it runs, and the monotonic one go on."""
    library = faketime()
    if library is None:
        pytest.skip("there is no libfaketime that works")
    clock = Clock(tmp_path / "clock")
    program = "import time\nwhile input(): print(time.time(), time.monotonic(), flush=True)"
    command, variables = [sys.executable, "-c", program], {**os.environ, **clock.variables(library)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for step in (0, -86_400, 3600):
            clock.set(step)
            time.sleep(2.5)
            process.stdin.write("now\n")
            process.stdin.flush()
            wall, monotonic = map(float, process.stdout.readline().split())
            assert abs(wall - time.time() - step) < 60
            assert abs(monotonic - time.monotonic()) < 60
        process.stdin.write("\n")
