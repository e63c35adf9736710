"""The worker's loop: reads requests, runs them or hands them to threads, writes their answers.

Knows frames, messages and the kernel.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final, assert_never

import msgspec

from pullback_server.compute.compiler.prepared import Prepared
from pullback_server.compute.constants import ConstantsMissingError
from pullback_server.compute.crossing import Mapped, Places, inputs_of
from pullback_server.compute.dispatch import Dispatcher
from pullback_server.compute.kernel import Kernel
from pullback_server.compute.programs import ProgramMissingError
from pullback_server.compute.reading import Reading
from pullback_server.compute.relay import Relay
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.board import Board
from pullback_server.model.evaluation import Buffer, Compilation, Kind
from pullback_server.model.frames import Frame, FrameError, encode
from pullback_server.model.functions import Findings
from pullback_server.model.messages import (
    Abandon,
    AttachSegment,
    Compile,
    Compiled,
    ConstantLoaded,
    ConstantsMissing,
    DefineKind,
    DetachSegment,
    Failed,
    ForgetKind,
    GetGraph,
    GraphGiven,
    LoadConstant,
    LoadProgram,
    MakeWay,
    Notice,
    ProgramMissing,
    Ran,
    Ready,
    Request,
    Run,
    Warm,
)
from pullback_server.model.transfer import findings_message

_log = logging.getLogger(__name__)

_REMEMBERED_TYPES: Final = 256
_PARTS_AT_ONCE: Final = 512
_REMEMBERED_ABANDONED: Final = 4096
_NOBODY: Final = "nobody waits for it"
_BEAT_SECONDS: Final = 0.25
_ENCODER: Final = msgspec.msgpack.Encoder()

Work = Callable[[int], Frame]
"""Does what a request asks, given the slot of the board that tells of it; gives the answer."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A kind that has a number.

    Attributes:
        number: The number.
        kind: The kind.
        types: For numbers of points the types of the results, encoded.
    """

    number: int
    kind: Kind
    types: dict[int | None, msgspec.Raw] = field(default_factory=dict)

    def encoded_types(self, made: Prepared, points: int | None) -> msgspec.Raw:
        """The types of the results of so many points, for each want, encoded."""
        found = self.types.get(points)
        if found is None:
            if len(self.types) >= _REMEMBERED_TYPES:
                self.types.clear()
            leaves = iter(made.leaves)
            wants = [[next(leaves).type(points) for _ in range(count)] for count in made.counts]
            found = self.types[points] = msgspec.Raw(_ENCODER.encode(wants))
        return found


class Loop:
    """Answers the requests that come over a connection.

    Args:
        connection: A stream socket whose other end the front holds.
        kernel: What loads, compiles and evaluates.
        board: Where the front sees what the threads are at.
    """

    def __init__(self, connection: socket.socket, kernel: Kernel, board: Board) -> None:
        self._connection = connection
        self._board = board
        self._abandoned: set[int] = set()
        self._kernel = kernel
        self._reading = Reading(connection)
        self._mapped = Mapped()
        self._kinds: dict[int, _Known] = {}
        self._frames: deque[Frame] = deque()
        self._relay = Relay(self._step)
        self._dispatcher = Dispatcher(self._relay.brief)
        self._writing = threading.Lock()

    def serve(self) -> None:
        """Says that the worker is ready, then answers until the other end is closed.

        Raises:
            FrameError: If the other end sends what is no request.
            OSError: If a segment cannot be mapped.
        """
        over = threading.Event()
        threading.Thread(target=self._beat, args=(over,), name="beat", daemon=True).start()
        try:
            self._send(encode(Frame(Ready(self._kernel.describe()))))
            self._relay.run()
        finally:
            over.set()

    def _beat(self, over: threading.Event) -> None:
        """Shows that the interpreter runs, on a thread that does nothing else."""
        while not over.wait(_BEAT_SECONDS):
            self._board.beat()

    def _step(self) -> bool:
        """Takes the next frame, or reads what comes next; says whether the other end is still open."""
        if self._frames:
            frame = self._frames.popleft()
            self._take(frame, alone=not self._frames)
            return True
        frames = self._reading.frames()
        if frames is None:
            return False
        self._frames.extend(frames)
        return True

    def _take(self, frame: Frame, *, alone: bool) -> None:
        message = frame.message
        if isinstance(message, Run):
            self._dispatch_run(message, frame.buffers, alone=alone)
        elif isinstance(message, Notice):
            self._note(message)
        elif isinstance(message, Request):
            work = self._work(message, frame.buffers)
            self._dispatcher.prepare(lambda: self._answer(message.id, work, preparing=True))
        else:
            raise FrameError(f"a worker takes no {type(message).__name__}")

    def _note(self, notice: Notice) -> None:
        match notice:
            case DefineKind(number=number, kind=kind):
                self._kinds[number] = _Known(number, kind)
            case ForgetKind(number=number):
                self._kinds.pop(number, None)
            case AttachSegment():
                self._mapped.attach(notice, self._reading.descriptor())
            case DetachSegment(number=number):
                self._mapped.detach(number)
            case Abandon(id=id_):
                if len(self._abandoned) >= _REMEMBERED_ABANDONED:  # they were answered before they were known
                    self._abandoned.clear()
                self._abandoned.add(id_)
            case MakeWay():
                self._dispatcher.make_way()
            case _:
                assert_never(notice)

    def _dispatch_run(self, request: Run, buffers: Sequence[Buffer], *, alone: bool) -> None:
        known = self._known(request.kind)
        arrived = perf_counter()
        ready = self._kernel.ready(known.kind, request.points)

        def run(slot: int) -> Frame:
            return self._run(request, buffers, known, arrived, None if ready else slot)

        def work() -> bool:
            done = self._answer(request.id, run, preparing=not ready)
            self._mapped.tidy()
            return done

        self._dispatcher.evaluate((known.number, request.points), work, ready=ready, alone=alone)

    def _work(self, request: Request, buffers: Sequence[Buffer]) -> Work:
        match request:
            case LoadProgram():
                return lambda _: self._load(request)
            case LoadConstant():
                return lambda _: self._bring(request, buffers)
            case Compile():
                return lambda _: self._compile(request)
            case Warm():
                known = self._known(request.kind)
                return lambda _: Frame(Compiled(request.id, self._kernel.warm(known.kind, request.points)))
            case GetGraph():
                return lambda _: self._graph(request)
            case Run():
                known = self._known(request.kind)
                return lambda slot: self._run(request, buffers, known, perf_counter(), slot)
            case _:
                assert_never(request)

    def _known(self, number: int) -> _Known:
        known = self._kinds.get(number)
        if known is None:
            raise FrameError(f"no kind has the number {number}")
        return known

    def _load(self, request: LoadProgram) -> Frame:
        return Frame(findings_message(request.id, self._findings(request)))

    def _bring(self, request: LoadConstant, buffers: Sequence[Buffer]) -> Frame:
        (data,) = buffers
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

    def _run(
        self, request: Run, buffers: Sequence[Buffer], known: _Known, arrived: float, slot: int | None
    ) -> Frame:
        """Runs; compiles before, as the board's slot tells, where one is given."""
        began = perf_counter()
        made, points = self._kernel.prepare(known.kind), request.points
        cached = True
        if slot is not None:
            cached = self._kernel.warm(known.kind, points)
            if request.id in self._abandoned:
                raise service_error(Reason.DEADLINE_EXCEEDED, _NOBODY)
            self._board.prepared(slot)
        compiling = 0.0 if cached else perf_counter() - began
        inputs = inputs_of(request, buffers, self._mapped)
        places = None
        if request.results is not None:
            sizes = (leaf.nbytes(points) for leaf in made.leaves)
            places = Places(request.results, sizes, self._mapped)
        ran = self._kernel.run(made, inputs, points, places.views if places else None)
        timing = ran.timing
        message = Ran(
            request.id,
            known.encoded_types(made, points),
            tuple(places.offsets) if places else (),
            timing.compile + compiling,
            timing.execute,
            began - arrived,
            timing.batch,
            timing.padding,
        )
        return Frame(message, places.rest(ran.buffers) if places else ran.buffers)

    def _answer(self, id_: int, work: Work, *, preparing: bool) -> bool:
        """Answers a request with what comes of the work; says whether it was done."""
        if id_ in self._abandoned:
            self._abandoned.discard(id_)
            self._send(encode(Frame(Failed(id_, Reason.DEADLINE_EXCEEDED.value, _NOBODY, {}))))
            return False
        slot = self._board.begin(id_, preparing=preparing)
        parts, done = _outcome(id_, work, slot)
        self._board.end(slot)
        self._send(parts)
        return done

    def _send(self, parts: list[Buffer]) -> None:
        try:
            with self._writing:
                write(self._connection, parts)
        except OSError as error:  # the reader sees it as well, and ends the loop
            _log.info("the front has gone, and an answer with it: %s", error)


def _outcome(id_: int, work: Work, slot: int) -> tuple[list[Buffer], bool]:
    try:
        return encode(work(slot)), True
    except ProgramMissingError:
        return encode(Frame(ProgramMissing(id_))), False
    except ConstantsMissingError as error:
        return encode(Frame(ConstantsMissing(id_, error.digests))), False
    except ServiceError as error:
        failed = Failed(id_, error.reason.value, error.message, error.metadata)
    except FrameError as error:
        failed = Failed(id_, Reason.RESULT_TOO_LARGE.value, f"the result is too large: {error}", {})
    except Exception as error:  # noqa: BLE001 -- whatever it is, its caller waits for an answer
        failed = _unforeseen(id_, error)
    return encode(Frame(failed)), False


def _unforeseen(id_: int, error: Exception) -> Failed:
    _log.error("request %d failed unforeseen", id_, exc_info=error)
    return Failed(id_, Reason.INTERNAL.value, f"{type(error).__name__}: {error}", {})


def write(connection: socket.socket, parts: Sequence[Buffer]) -> None:
    """Writes all parts, those of a small frame with one call."""
    if len(parts) == 1:
        connection.sendall(parts[0])
        return
    sent = connection.sendmsg(parts[:_PARTS_AT_ONCE])
    for part in parts:
        nbytes = memoryview(part).nbytes
        if sent < nbytes:
            connection.sendall(memoryview(part).cast("B")[sent:])
        sent = max(sent - nbytes, 0)
