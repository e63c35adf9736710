"""The worker's loop: reads requests, hands them to threads, writes their answers.

Knows frames, messages and the kernel. Evaluations have their own threads, so that a compilation, which
can take minutes, never holds up what is compiled already.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, assert_never

from pullback_server.compute.kernel import Kernel
from pullback_server.compute.programs import ProgramMissingError
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Buffer, Compilation
from pullback_server.model.frames import Frame, FrameError, decode, encode
from pullback_server.model.messages import (
    Compile,
    Compiled,
    Evaluate,
    Failed,
    LoadProgram,
    ProgramLoaded,
    ProgramMissing,
    Ready,
    Request,
)
from pullback_server.model.transfer import evaluated_frame, evaluation_of

_log = logging.getLogger(__name__)

_EVALUATING_THREADS: Final = 8
_PREPARING_THREADS: Final = 4
_REQUESTS: Final = (LoadProgram, Compile, Evaluate)


class Loop:
    """Answers the requests that come over a connection.

    Args:
        connection: A stream socket whose other end the front holds.
        kernel: What loads, compiles and evaluates.
    """

    def __init__(self, connection: socket.socket, kernel: Kernel) -> None:
        self._connection = connection
        self._kernel = kernel
        self._writing = threading.Lock()
        self._evaluating = ThreadPoolExecutor(_EVALUATING_THREADS, "evaluate")
        self._preparing = ThreadPoolExecutor(_PREPARING_THREADS, "prepare")

    def serve(self) -> None:
        """Says that the worker is ready, then answers until the other end is closed.

        Raises:
            FrameError: If the other end sends what is no request.
        """
        self._write(encode(Frame(Ready(self._kernel.describe()))))
        while (frame := receive(self._connection)) is not None:
            if not isinstance(frame.message, _REQUESTS):
                raise FrameError(f"a worker takes no {type(frame.message).__name__}")
            self._dispatch(frame.message, frame)

    def _dispatch(self, request: Request, frame: Frame) -> None:
        match request:
            case LoadProgram():
                self._preparing.submit(self._answer, request.id, lambda: self._load(request))
            case Compile():
                self._preparing.submit(self._answer, request.id, lambda: self._compile(request))
            case Evaluate():
                self._evaluating.submit(self._answer, request.id, lambda: self._evaluate(request, frame))
            case _:
                assert_never(request)

    def _load(self, request: LoadProgram) -> Frame:
        return Frame(ProgramLoaded(request.id, self._kernel.load(request.digest, request.program)))

    def _compile(self, request: Compile) -> Frame:
        compilation = Compilation(request.digest, request.wants, request.points, request.shared_leaves)
        return Frame(Compiled(request.id, self._kernel.compile(compilation)))

    def _evaluate(self, request: Evaluate, frame: Frame) -> Frame:
        evaluation = evaluation_of(request, frame.buffers)
        return evaluated_frame(request.id, self._kernel.evaluate(evaluation))

    def _answer(self, id_: int, work: Callable[[], Frame]) -> None:
        try:
            self._write(_answer_to(id_, work))
        except OSError as error:
            _log.info("the front has gone, and request %d stays unanswered: %s", id_, error)

    def _write(self, parts: list[Buffer]) -> None:
        with self._writing:
            for part in parts:
                self._connection.sendall(part)


def _answer_to(id_: int, work: Callable[[], Frame]) -> list[Buffer]:
    try:
        return encode(work())
    except ProgramMissingError:
        return encode(Frame(ProgramMissing(id_)))
    except ServiceError as error:
        failed = Failed(id_, error.reason.value, error.message, error.metadata)
    except FrameError as error:
        failed = Failed(id_, Reason.LIMIT_EXCEEDED.value, f"the result is too large: {error}", {})
    except Exception as error:  # noqa: BLE001 -- whatever it is, its caller waits for an answer
        failed = _unforeseen(id_, error)
    return encode(Frame(failed))


def _unforeseen(id_: int, error: Exception) -> Failed:
    _log.error("request %d failed unforeseen", id_, exc_info=error)
    return Failed(id_, Reason.INTERNAL.value, f"{type(error).__name__}: {error}", {})


def receive(connection: socket.socket) -> Frame | None:
    """Reads one frame; None if the other end was closed.

    Raises:
        FrameError: If what comes is no frame.
    """
    reader = decode()
    wanted = next(reader)
    while True:
        data = _receive_exactly(connection, wanted)
        if data is None:
            return None
        try:
            wanted = reader.send(data)
        except StopIteration as finished:
            frame: Frame = finished.value
            return frame


def _receive_exactly(connection: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    rest = memoryview(data)
    while rest:
        received = connection.recv_into(rest)
        if received == 0:
            return None
        rest = rest[received:]
    return data
