"""A worker's process: starting it with a socket to it, and ending it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pullback_server.engine.devices import Placement
from pullback_server.engine.environment import inherited
from pullback_server.model.board import Board, open_board

WORKER_COMMAND: Final = (sys.executable, "-m", "pullback_server.compute")
_GOODBYE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Launch:
    """How worker processes are started.

    Attributes:
        command: The program and its first arguments.
        options: Further arguments, the same for all workers.
        start_seconds: How long a process may take until it says that it is ready.
        variables: The names of environment variables that workers have of the front's, beyond the usual.
    """

    command: Sequence[str] = WORKER_COMMAND
    options: Sequence[str] = ()
    start_seconds: float = 120.0
    variables: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A running process and the front's end of the socket to it.

    Attributes:
        process: The process.
        connection: The socket, non-blocking.
        board: Where the process notes what it is at.
    """

    process: subprocess.Popen[bytes]
    connection: socket.socket
    board: Board

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def hang_up(self) -> None:
        """Ends the conversation for both sides, without waiting for the process."""
        with contextlib.suppress(OSError):  # the other side may have been faster
            self.connection.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Ends the process at once, whatever it does."""
        self.process.kill()

    async def end(self) -> int:
        """Closes the socket, upon which a worker ends; kills it if it does not.

        Returns:
            The exit status; negative for a signal.
        """
        self.connection.close()
        try:
            return await asyncio.to_thread(self.process.wait, _GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)
        finally:
            self.board.close()


def start_process(launch: Launch, placement: Placement) -> WorkerProcess:
    """Starts a worker.

    Its standard input is empty and its standard output goes to standard error, since both of the
    front's may belong to a parent that reads them.

    Raises:
        OSError: If the process cannot be started.
    """
    ours, theirs = socket.socketpair()
    board = open_board()
    with theirs:
        try:
            process = subprocess.Popen(
                [
                    *launch.command,
                    f"--descriptor={theirs.fileno()}",
                    f"--board={board}",
                    f"--parent={os.getpid()}",
                    *launch.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                pass_fds=[theirs.fileno(), board],
                env={**inherited(os.environ, launch.variables), **placement.environment},
            )
            page = Board(board)
        except OSError:
            ours.close()
            raise
        finally:
            os.close(board)
    ours.setblocking(False)
    return WorkerProcess(process, ours, page)
