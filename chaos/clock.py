"""A wall clock that can be set for the server alone, by libfaketime; monotonic clocks go on."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PLACES: Final = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
_FAR_SECONDS: Final = 100_000


class Clock:
    """The server's wall clock.

    Args:
        file: Where its offset is kept.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Puts it so many seconds ahead."""
        self._file.write_text(f"{seconds:+d}\n")

    def variables(self, library: Path) -> dict[str, str]:
        """What a process's environment needs."""
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


def faketime() -> Path | None:
    """The library, of the system or of the package libfaketime; None where there is none that works."""
    return next((path for path in _candidates() if path.exists() and _works(path)), None)


def _candidates() -> Iterator[Path]:
    found = importlib.util.find_spec("libfaketime")
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    yield from map(Path, _PLACES)


def _works(library: Path) -> bool:
    """Whether a process has another time by it, and the same monotonic one."""
    program = "import time; print(time.time(), time.monotonic())"
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(Path(folder) / "clock")
        clock.set(_FAR_SECONDS)
        variables = {**os.environ, **clock.variables(library)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, env=variables, text=True, check=False
        )
    if done.returncode:
        return False
    wall, monotonic = map(float, done.stdout.split())
    return wall - time.time() > _FAR_SECONDS / 2 and abs(monotonic - time.monotonic()) < _FAR_SECONDS / 2
