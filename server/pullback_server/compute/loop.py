"""The worker's loop: reads requests, hands them to threads, writes their answers.

Knows frames, messages and the kernel.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Final, assert_never

from pullback_server.compute.constants import ConstantsMissingError
from pullback_server.compute.dispatch import Dispatcher
from pullback_server.compute.kernel import Kernel
from pullback_server.compute.programs import ProgramMissingError
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Buffer, Compilation
from pullback_server.model.frames import Frame, FrameError, decode, encode
from pullback_server.model.functions import Findings
from pullback_server.model.messages import (
    Compile,
    Compiled,
    ConstantLoaded,
    ConstantsMissing,
    Evaluate,
    Failed,
    GetGraph,
    GraphGiven,
    LoadConstant,
    LoadProgram,
    ProgramMissing,
    Ready,
    Request,
)
from pullback_server.model.transfer import evaluated_frame, evaluation_of, findings_message

_log = logging.getLogger(__name__)

_REQUESTS: Final = (LoadProgram, LoadConstant, Compile, GetGraph, Evaluate)


class Loop:
    """Answers the requests that come over a connection.

    Args:
        connection: A stream socket whose other end the front holds.
        kernel: What loads, compiles and evaluates.
    """

    def __init__(self, connection: socket.socket, kernel: Kernel) -> None:
        self._connection = connection
        self._kernel = kernel
        self._dispatcher = Dispatcher()
        self._writing = threading.Lock()

    def serve(self) -> None:
        """Says that the worker is ready, then answers until the other end is closed.

        Raises:
            FrameError: If the other end sends what is no request.
        """
        self._send(encode(Frame(Ready(self._kernel.describe()))))
        while (frame := receive(self._connection)) is not None:
            if not isinstance(frame.message, _REQUESTS):
                raise FrameError(f"a worker takes no {type(frame.message).__name__}")
            self._dispatch(frame.message, frame)

    def _dispatch(self, request: Request, frame: Frame) -> None:
        match request:
            case LoadProgram():
                self._dispatcher.prepare(lambda: self._answer(request.id, lambda: self._load(request)))
            case LoadConstant():
                self._dispatcher.prepare(
                    lambda: self._answer(request.id, lambda: self._bring(request, frame))
                )
            case Compile():
                self._dispatcher.prepare(lambda: self._answer(request.id, lambda: self._compile(request)))
            case GetGraph():
                self._dispatcher.prepare(lambda: self._answer(request.id, lambda: self._graph(request)))
            case Evaluate():
                self._dispatcher.evaluate(
                    _kind(request),
                    lambda: self._answer(request.id, lambda: self._evaluate(request, frame)),
                )
            case _:
                assert_never(request)

    def _load(self, request: LoadProgram) -> Frame:
        return Frame(findings_message(request.id, self._findings(request)))

    def _bring(self, request: LoadConstant, frame: Frame) -> Frame:
        (data,) = frame.buffers
        self._kernel.bring(request.digest, data)
        return Frame(ConstantLoaded(request.id))

    def _findings(self, request: LoadProgram) -> Findings:
        findings = self._kernel.load(request.digest, request.program)
        if not request.survey:
            return findings
        return replace(findings, derivatives=self._kernel.survey(request.digest))

    def _compile(self, request: Compile) -> Frame:
        compilation = Compilation(
            request.digest, request.wants, request.points, request.shared_leaves, request.sizes
        )
        return Frame(Compiled(request.id, self._kernel.compile(compilation)))

    def _graph(self, request: GetGraph) -> Frame:
        return Frame(GraphGiven(request.id, self._kernel.graph(request.query)))

    def _evaluate(self, request: Evaluate, frame: Frame) -> Frame:
        evaluation = evaluation_of(request, frame.buffers)
        return evaluated_frame(request.id, self._kernel.evaluate(evaluation))

    def _answer(self, id_: int, work: Callable[[], Frame]) -> bool:
        """Answers a request with what comes of the work; says whether it was done."""
        parts, done = _outcome(id_, work)
        self._send(parts)
        return done

    def _send(self, parts: list[Buffer]) -> None:
        try:
            with self._writing:
                for part in parts:
                    self._connection.sendall(part)
        except OSError as error:  # the reader sees it as well, and ends the loop
            _log.info("the front has gone, and an answer with it: %s", error)


def _kind(request: Evaluate) -> Hashable:
    """Requests of one kind need the same executables."""
    kind = request.kind
    return (kind.digest, kind.wants, kind.inputs, kind.batched, request.points)


def _outcome(id_: int, work: Callable[[], Frame]) -> tuple[list[Buffer], bool]:
    try:
        return encode(work()), True
    except ProgramMissingError:
        return encode(Frame(ProgramMissing(id_))), False
    except ConstantsMissingError as error:
        return encode(Frame(ConstantsMissing(id_, error.digests))), False
    except ServiceError as error:
        failed = Failed(id_, error.reason.value, error.message, error.metadata)
    except FrameError as error:
        failed = Failed(id_, Reason.LIMIT_EXCEEDED.value, f"the result is too large: {error}", {})
    except Exception as error:  # noqa: BLE001 -- whatever it is, its caller waits for an answer
        failed = _unforeseen(id_, error)
    return encode(Frame(failed)), False


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
        try:
            received = connection.recv_into(rest)
        except ConnectionResetError:  # the front was killed
            received = 0
        if received == 0:
            return None
        rest = rest[received:]
    return data
