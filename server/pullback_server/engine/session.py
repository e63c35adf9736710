"""One life of a worker process, in the words of the engine: load, compile, evaluate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from pullback.graphs.data import Graph
from pullback_server.engine.channel import Channel
from pullback_server.engine.crossing import Crossing, Shared, cross, returned
from pullback_server.engine.deadlines import before
from pullback_server.engine.deaths import Death, Fate, WorkerGoneError
from pullback_server.engine.figures import WorkerFigures
from pullback_server.engine.interface import Source
from pullback_server.engine.kinds import DefinedKind, Kinds
from pullback_server.engine.probe import PROBE, PROBE_DIGEST, PROBE_PROGRAM, is_right
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Buffer, Compilation, Evaluation, Kind, Outcome, Timing
from pullback_server.model.frames import Frame, FrameError
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Segment
from pullback_server.model.messages import (
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
    ProgramLoaded,
    ProgramMissing,
    Ran,
    Request,
    Run,
    Warm,
)
from pullback_server.model.transfer import findings_of

_PROVISIONS: Final = 3


class Session:
    """Asks one worker process, and gives it the programs that it lacks.

    Every call raises the ServiceError that the worker answers with, and WorkerGoneError if the worker
    goes before it answers.

    Args:
        channel: The open conversation.
        source: Where programs come from.
        shared: The memory that the worker gets to map.
    """

    def __init__(self, channel: Channel, source: Source, shared: Shared) -> None:
        self._figures = WorkerFigures()
        self._channel = channel
        self._source = source
        self._shared = shared
        self._kinds = Kinds()
        self._provisions: dict[str, asyncio.Task[object]] = {}
        self._attached: set[int] = set()
        self._makes_way = False

    @property
    def open(self) -> bool:
        """Whether the worker is still there, as far as is known."""
        return self._channel.is_open

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return self._channel.in_flight

    @property
    def kinds(self) -> list[DefinedKind]:
        """What the worker knows of kinds, those first that were used last."""
        return self._kinds.latest()

    def outfit(self, figures: WorkerFigures | None = None) -> None:
        """Has the worker map all memory that there is: to be called before it takes work.

        Args:
            figures: Where it is counted what it does from now on.
        """
        self._figures = figures or self._figures
        if self._shared.arena is not None:
            self.attach(self._shared.arena.segment)
        for segment in self._shared.segments.values():
            self.attach(segment)

    def attach(self, segment: Segment) -> None:
        """Has the worker map a segment, unless it has."""
        if segment.number not in self._attached:
            self._attached.add(segment.number)
            self._channel.tell(AttachSegment(segment.number, segment.memory.nbytes), segment)

    def detach(self, segment: Segment) -> None:
        """Has the worker let go of a segment that it has, once what names it has run."""
        if segment.number in self._attached:
            self._attached.remove(segment.number)
            self._channel.tell(DetachSegment(segment.number))

    def make_way(self) -> None:
        """Has the worker leave processors to what is short, unless it does."""
        if not self._makes_way:
            self._makes_way = True
            self._channel.tell(MakeWay())

    async def probe(self) -> None:
        """Has the worker evaluate what is known, on the way of all evaluations.

        Raises:
            ServiceError: What the worker answers, and EXECUTION_FAILED if its answer is wrong.
        """
        if not is_right(await self.evaluate(PROBE)):
            raise service_error(Reason.EXECUTION_FAILED, "the answer is wrong")

    async def load(self, digest: str, program: bytes, *, survey: bool = False) -> Findings:
        """Has the worker read and trace a program; gives what it finds, its derivatives if `survey`."""
        for _ in range(_PROVISIONS):
            answer = await self._ask(lambda id_: LoadProgram(id_, digest, program, survey), digest=digest)
            match answer.message:
                case ProgramLoaded() as message:
                    return self._findings(message)
                case ConstantsMissing(digests=digests):
                    for constant in digests:
                        await self._bring(constant)
                case _:
                    raise self._unexpected(answer)
        raise self._too_little_memory(digest)

    def _findings(self, message: ProgramLoaded) -> Findings:
        try:
            return findings_of(message)
        except FrameError as error:
            raise self._break_off(str(error)) from error

    async def _bring(self, digest: str) -> None:
        data = await self._source.constant(digest)
        answer = await self._ask(lambda id_: LoadConstant(id_, digest), buffers=(data,))
        if not isinstance(answer.message, ConstantLoaded):
            raise self._unexpected(answer)

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles, and says whether the executable was there already."""
        fields = (compilation.wants, compilation.points, compilation.shared_leaves, compilation.sizes)
        answer = await self._ask_about(
            compilation.digest, lambda id_: Compile(id_, compilation.digest, *fields)
        )
        match answer.message:
            case Compiled(cached=cached):
                return cached
            case _:
                raise self._unexpected(answer)

    async def graph(self, query: GraphQuery) -> Graph:
        """Gives the graph of what an evaluation would run."""
        digest = query.compilation.digest
        answer = await self._ask_about(digest, lambda id_: GetGraph(id_, query))
        match answer.message:
            case GraphGiven(graph=graph):
                return graph
            case _:
                raise self._unexpected(answer)

    async def evaluate(self, evaluation: Evaluation, until: float | None = None) -> Outcome:
        """Evaluates; fails with DEADLINE_EXCEEDED at the time `until`."""
        for _ in range(_PROVISIONS):
            if self._channel.crowded:
                await self._channel.room()
            defined = self._defined(evaluation.kind)
            crossing = cross(evaluation, self._shared, defined.result_bytes(evaluation.points))
            try:
                answer = await self._run(evaluation, defined, crossing, until)
                message = answer.message
                if isinstance(message, Ran):
                    return self._outcome(evaluation, message, answer, defined, crossing)
            finally:
                # An error holds this frame, for how long nobody knows, and it what was taken of the arena.
                del crossing
            if not isinstance(message, ProgramMissing):
                raise self._refusal(answer)
            async with before(until):
                await self._provide(evaluation.kind.digest)
        raise self._too_little_memory(evaluation.kind.digest)

    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles what so many points of a kind need."""
        answer = await self._ask_about(kind.digest, lambda id_: Warm(id_, self._defined(kind).number, points))
        if not isinstance(answer.message, Compiled):
            raise self._unexpected(answer)
        self._defined(kind).warmed(points)

    def is_warm(self, kind: Kind, points: int | None) -> bool:
        """Whether so many points of a kind ran here or were compiled."""
        defined = self._kinds.find(kind)
        return defined is not None and defined.is_warm(points)

    def _defined(self, kind: Kind) -> DefinedKind:
        """What is known of a kind; the worker is told of a new one."""
        defined = self._kinds.use(kind)
        if defined is None:
            defined, forgotten = self._kinds.add(kind)
            if forgotten is not None:
                self._channel.tell(ForgetKind(forgotten.number))
            self._channel.tell(DefineKind(defined.number, kind))
        return defined

    def _run(
        self, evaluation: Evaluation, defined: DefinedKind, crossing: Crossing, until: float | None
    ) -> asyncio.Future[Frame]:
        return self._channel.ask(
            lambda id_: Run(id_, defined.number, evaluation.points, crossing.inputs, crossing.results),
            crossing.buffers,
            (crossing.blocks, crossing.target),
            evaluation.kind.digest,
            until,
        )

    def _outcome(
        self, evaluation: Evaluation, message: Ran, answer: Frame, defined: DefinedKind, crossing: Crossing
    ) -> Outcome:
        try:
            results = returned(message, defined.layout(message.types), answer.buffers, crossing)
        except FrameError as error:
            raise self._break_off(str(error)) from error
        defined.warmed(evaluation.points)
        self._figures.ran(message)
        if answer.buffers:
            defined.gave(sum(len(leaf.data) for group in results for leaf in group), evaluation.points)
        return Outcome(
            results,
            Timing(
                message.compile,
                message.execute,
                message.queue,
                message.batch,
                message.padding,
                self._figures.name,
            ),
        )

    async def _ask_about(self, digest: str, make: Callable[[int], Request]) -> Frame:
        for _ in range(_PROVISIONS):
            answer = await self._ask(make, digest=digest)
            if not isinstance(answer.message, ProgramMissing):
                return answer
            await self._provide(digest)
        raise self._too_little_memory(digest)

    def _too_little_memory(self, digest: str) -> ServiceError:
        return service_error(
            Reason.EXECUTION_FAILED,
            f"the worker dropped the program {digest} {_PROVISIONS} times right after it was loaded; "
            "it has too little memory for the programs in use",
            digest=digest,
        )

    async def _ask(
        self, make: Callable[[int], Request], *, buffers: Sequence[Buffer] = (), digest: str = ""
    ) -> Frame:
        await self._channel.room()
        answer = await self._channel.ask(make, buffers, None, digest)
        if isinstance(answer.message, Failed):
            raise self._refusal(answer)
        return answer

    async def _provide(self, digest: str) -> None:
        """Loads a program once for all who miss it, even if the first of them goes away."""
        task = self._provisions.get(digest)
        if task is None:
            task = self._provisions[digest] = asyncio.create_task(self._fetch(digest))
            task.add_done_callback(lambda done: self._provided(digest, done))
        await asyncio.shield(task)

    def _provided(self, digest: str, task: asyncio.Task[object]) -> None:
        self._provisions.pop(digest, None)
        if not task.cancelled():
            task.exception()  # so that nobody has to be waiting

    async def _fetch(self, digest: str) -> Findings:
        program = PROBE_PROGRAM if digest == PROBE_DIGEST else await self._source.program(digest)
        return await self.load(digest, program)

    def _refusal(self, answer: Frame) -> Exception:
        """The error that an answer tells; if it tells none, the worker has said what makes no sense."""
        match answer.message:
            case Failed(reason=reason, message=message, metadata=metadata):
                return self._failure(reason, message, metadata)
            case _:
                return self._unexpected(answer)

    def _failure(self, reason: str, message: str, metadata: dict[str, str]) -> Exception:
        try:
            error = service_error(Reason(reason), message)
        except ValueError:
            return self._break_off(f"it fails for the unknown reason {reason!r}")
        error.metadata.update(metadata)
        return error

    def _unexpected(self, answer: Frame) -> WorkerGoneError:
        return self._break_off(f"it answers {type(answer.message).__name__}")

    def _break_off(self, why: str) -> WorkerGoneError:
        """Gives up a worker that a program has damaged."""
        self._channel.break_off(why)
        return WorkerGoneError(Fate(Death(f"it made no sense: {why}"), suspect=True))
