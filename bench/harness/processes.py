"""The processes of a contestant: its server, and the clients that are told what to measure."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

_START_SECONDS = 120.0
_GRACE_SECONDS = 5.0
_LAST_CHARACTERS = 400


class ContestantError(Exception):
    """A contestant's process did not start, ended, took too long, or gave a wrong answer."""


class Process:
    """A child that is told things on its standard input, and answers with lines on its standard output.

    Args:
        command: The command.
        folder: Its working directory.
        log: The file that its standard error goes to.
        path: Folders to import from.
    """

    def __init__(self, command: Sequence[str], folder: Path, log: Path, path: Sequence[Path]) -> None:
        self._log = log
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "JAX_PLATFORMS": "cpu"}
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Ended as a group, so that a server's own children go with it.
                start_new_session=True,
            )
        self.pid = self._process.pid

    def tell(self, line: str) -> None:
        """Writes a line.

        Raises:
            ContestantError: If the process has ended.
        """
        try:
            _pipe(self._process.stdin).write(f"{line}\n")
            _pipe(self._process.stdin).flush()
        except OSError as error:
            raise self._failure("ended") from error

    def hear(self, seconds: float = _START_SECONDS) -> str:
        """The next line.

        Raises:
            ContestantError: If the process ends first, or takes longer.
        """
        pipe = _pipe(self._process.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise self._failure(f"did not answer within {seconds:.0f} s")
        line = pipe.readline()
        if not line:
            raise self._failure("ended")
        return line.strip()

    def stop(self) -> None:
        """Ends the process and those that it started."""
        _pipe(self._process.stdin).close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
                self._process.wait(_GRACE_SECONDS)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        _pipe(self._process.stdout).close()

    def _failure(self, what: str) -> ContestantError:
        words = " ".join(self._log.read_text(errors="replace").split())
        return ContestantError(f"{self._log.stem} {what}: ...{words[-_LAST_CHARACTERS:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Client(Process):
    """A process that runs `driving`."""

    def ask(self, task: Mapping[str, Any]) -> None:
        """Sends a task, whose answer `answer` gives."""
        self.tell(json.dumps(task))

    def answer(self, seconds: float = _START_SECONDS) -> dict[str, Any]:
        """The answer to what was asked last.

        Raises:
            ContestantError: If there is none.
        """
        answer: dict[str, Any] = json.loads(self.hear(seconds))
        return answer


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
