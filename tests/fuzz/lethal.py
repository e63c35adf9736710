"""Whether a program kills the process that reads it: tried in forks of a process that has no device.

Runs as `python -m fuzz.lethal` and answers on its standard output; `Prober` talks to it.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from types import TracebackType
from typing import IO, Final, Self

_LENGTH: Final = struct.Struct("<I")
_VERDICT: Final = struct.Struct("<i")
_SECONDS: Final = 20


class Prober:
    """Tries programs; used as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.lethal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def signal_of(self, program: bytes) -> int:
        """The signal that kills a program's reader: 0 if none does, SIGALRM if the reader never ends."""
        _pipe(self._process.stdin).write(_LENGTH.pack(len(program)) + program)
        _pipe(self._process.stdin).flush()
        (verdict,) = _VERDICT.unpack(_pipe(self._process.stdout).read(_VERDICT.size))
        return int(verdict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def main() -> None:
    """Reads programs, each behind its length, and writes for each the signal that killed its reader."""
    _read(b"")  # what is loaded once is loaded before the first fork
    while len(length := sys.stdin.buffer.read(_LENGTH.size)) == _LENGTH.size:
        program = sys.stdin.buffer.read(*_LENGTH.unpack(length))
        child = os.fork()
        if child == 0:
            signal.alarm(_SECONDS)
            _read(program)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.buffer.write(_VERDICT.pack(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0))
        sys.stdout.buffer.flush()


def _read(program: bytes) -> None:
    """Reads and traces a program as a worker does, but for what needs a device."""
    from pullback.precautions import take_precautions  # noqa: PLC0415 -- before JAX is imported

    take_precautions()
    from pullback.program.wire import program_from_bytes  # noqa: PLC0415
    from pullback_server.compute.formats.reader import read, with_signature  # noqa: PLC0415
    from pullback_server.compute.kernel import configure_jax  # noqa: PLC0415
    from pullback_server.compute.programs import load_program  # noqa: PLC0415

    configure_jax()
    try:
        load_program(with_signature(program_from_bytes(program)), len(program), read)
    except Exception:  # noqa: BLE001 -- only a signal is of interest
        return


if __name__ == "__main__":
    main()
