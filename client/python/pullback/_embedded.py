"""A server in a child process, for `pullback.local()`: its life from start to stop.

The server is started by name; nothing of it is imported here.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from pullback.errors import ServerStartError
from pullback.memory.handover import LONGEST_PATH, memory_path

_ANNOUNCEMENT: Final = "pullback: listening on "
_ANY_PORT: Final = "127.0.0.1:0"
_LAST_LINES: Final = 20
_GRACE: Final = 15.0


class EmbeddedServer:
    """A server that lives until `stop`, or until this process ends: then its standard input does.

    Args:
        devices: What to compute on, as `pullback serve --devices` takes it.
        data_dir: Where functions are kept; None is a folder that is removed at the end.
        startup_timeout: How many seconds the server may take until it listens.
    """

    def __init__(self, devices: str, data_dir: str | Path | None, startup_timeout: float) -> None:
        self._devices = devices
        self._data_dir = data_dir
        self._startup_timeout = startup_timeout
        self._temporary: list[tempfile.TemporaryDirectory[str]] = []
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._address = ""
        self._announced_or_ended = threading.Event()

    def start(self) -> str:
        """Starts the server and gives its address once it listens.

        Raises:
            ServerStartError: If it is not installed, ends early, or takes too long.
        """
        if importlib.util.find_spec("pullback_server") is None:
            raise _start_error("the server is not installed; run pip install 'pullback[server]'")
        process = self._process = self._spawn()
        self._read_in_thread(process.stdout, self._take_output)
        self._read_in_thread(process.stderr, self._last_lines.append)
        self._announced_or_ended.wait(self._startup_timeout)
        if not self._address:
            self.stop()
            raise self.failure()
        return self._address

    def _spawn(self) -> subprocess.Popen[str]:
        # The server removes the folder too: this process may be killed.
        folder = tempfile.TemporaryDirectory(prefix="pullback-", ignore_cleanup_errors=True)
        self._temporary.append(folder)
        data = f"{folder.name}/data" if self._data_dir is None else str(self._data_dir)
        options = ["--listen", _listen_address(folder.name), "--data-dir", data, "--devices", self._devices]
        options += ["--temporary-dir", folder.name, "--exit-with-parent", "--drain-seconds=0"]
        return subprocess.Popen(
            [sys.executable, "-m", "pullback_server", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # Ctrl-C in a terminal goes to the whole group; this process ends the server, not the terminal.
            start_new_session=True,
        )

    def _read_in_thread(self, pipe: IO[str] | None, take: Callable[[str], object]) -> None:
        """Empties a pipe for as long as it is open; a full one would stop the server."""
        thread = threading.Thread(target=self._read, args=(pipe, take), daemon=True)
        thread.start()
        self._readers.append(thread)

    def _read(self, pipe: IO[str] | None, take: Callable[[str], object]) -> None:
        with pipe or open(os.devnull) as lines:  # noqa: PTH123 -- for the type alone: both pipes are there
            for line in lines:
                take(line.rstrip())
        self._announced_or_ended.set()

    def _take_output(self, line: str) -> None:
        if line.startswith(_ANNOUNCEMENT):
            self._address = line.removeprefix(_ANNOUNCEMENT)
            self._announced_or_ended.set()

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process is None or self._process.poll() is not None

    def failure(self) -> ServerStartError:
        """The error of a server that does not serve, with its last words."""
        words = "\n".join(self._last_lines) or "(it wrote nothing to its standard error)"
        return _start_error(
            f"the server of pullback.local() did not start within {self._startup_timeout:g} s, or ended; "
            f"its last words:\n{words}"
        )

    def stop(self) -> None:
        """Ends the server, leaving neither processes nor temporary files; again does nothing."""
        if self._process is not None:
            _end(self._process)
        for thread in self._readers:
            thread.join()
        self._readers.clear()
        while self._temporary:
            self._temporary.pop().cleanup()


def _listen_address(folder: str) -> str:
    """A socket that only this user can open, and that shares memory; a port where there is none."""
    if sys.platform != "linux":
        return _ANY_PORT
    path = f"{folder}/socket"
    return f"unix:{path}" if len(os.fsencode(memory_path(path))) <= LONGEST_PATH else _ANY_PORT


def _end(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        # The server leads its own group, so that its workers go with it.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _start_error(message: str) -> ServerStartError:
    return ServerStartError(message, code="UNAVAILABLE", reason="NOT_READY")
