"""The server that is fuzzed: a real one, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.server.running import Running, end

_FLAGS = ("--devices=cpu:1", "--listen=127.0.0.1:0", "--log-level=WARNING")


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Running]:
    """A server with its data in a folder, ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    command = [sys.executable, "-m", "pullback_server", *_FLAGS, f"--data-dir={folder / 'data'}", *flags]
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("pullback: listening on "):
        process.communicate()
        raise RuntimeError(f"the server did not start:\n{log.read_text()}")
    running = Running(process, line.split()[-1], folder, log)
    try:
        running.until_serving()
        yield running
    finally:
        end(running)
