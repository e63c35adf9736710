"""Confines itself and then tries what it must not: `confined.py CACHE PARENT DESCRIPTOR MODE PLATFORMS`.

Prints what came of each attempt, in the main thread and in one that ran before, as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pullback_server.compute.sandbox.confinement import Mode, Sandbox

PTRACE_SEIZE = 0x4206
"""Attaches without stopping."""


def outcome(attempt: Callable[[], Any]) -> str:
    """What an attempt comes to: `done`, or the name of the error."""
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def attach(process: int) -> None:
    """Attaches to a process as a debugger does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_SEIZE, process, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def attempts(cache: Path, parent: int, descriptor: int) -> dict[str, str]:
    """What is tried, by name."""
    connection = socket.socket(fileno=os.dup(descriptor))
    return {
        "tcp": outcome(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1)),
        "udp": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "unix": outcome(lambda: socket.socket(socket.AF_UNIX)),
        "program": outcome(lambda: subprocess.run(["/bin/true"], check=True)),
        "write beside": outcome(lambda: (cache.parent / "beside").write_text("x")),
        "write home": outcome(lambda: (Path.home() / ".pullback-test").write_text("x")),
        "read beside": outcome((cache.parent / "secret").read_text),
        "remove": outcome((cache.parent / "secret").unlink),
        "chmod": outcome(lambda: (cache / "mine").chmod(0o777)),
        "attach": outcome(lambda: attach(parent)),
        "signal": outcome(lambda: os.kill(parent, 0)),
        "mount": outcome(lambda: os.chroot("/")),
        "read memory": outcome(lambda: Path(f"/proc/{parent}/environ").read_bytes()),
        "write cache": outcome(lambda: (cache / "mine").write_text("x")),
        "make folder": outcome(lambda: (cache / "folder" / str(threading.get_ident())).mkdir(parents=True)),
        "write null": outcome(lambda: Path("/dev/null").write_text("x")),
        "read library": outcome(lambda: Path(json.__file__).read_text()),
        "send": outcome(lambda: connection.send(b"x")),
        "signal itself": outcome(lambda: os.kill(os.getpid(), 0)),
    }


def harmless(cache: Path) -> dict[str, str]:
    """What may succeed."""
    return {
        "unix": outcome(lambda: socket.socket(socket.AF_UNIX).close()),
        "program": outcome(lambda: subprocess.run(["/bin/true"], check=True)),
        "write beside": outcome(lambda: (cache.parent / "beside").write_text("x")),
    }


def main() -> None:
    """Confines itself in the order of a worker, and tries."""
    cache, parent, descriptor = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    sandbox = Sandbox(Mode(sys.argv[4]), cache, sys.argv[5])
    sandbox.enter()
    go, tried = threading.Event(), {}

    def later() -> None:
        go.wait()
        if held:
            tried["thread"] = attempts(cache, parent, descriptor)

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    held = sandbox.close()
    go.set()
    thread.join()
    tried["main"] = attempts(cache, parent, descriptor) if held else harmless(cache)
    sys.stdout.write(json.dumps({"held": held, **tried}))


if __name__ == "__main__":
    main()
