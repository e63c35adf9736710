"""One life of a worker process, in the words of the engine: load, compile, evaluate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pullback.graphs.data import Graph
from pullback_server.engine.channel import Channel, WorkerGoneError
from pullback_server.engine.interface import Source
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Compilation, Evaluation, Kind, Outcome
from pullback_server.model.frames import Frame, FrameError
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.messages import (
    Compile,
    Compiled,
    ConstantLoaded,
    ConstantsMissing,
    Evaluated,
    Failed,
    GetGraph,
    GraphGiven,
    LoadConstant,
    LoadProgram,
    ProgramLoaded,
    ProgramMissing,
)
from pullback_server.model.transfer import evaluate_frame, findings_of, outcome_of

_PROVISIONS: Final = 3


class Session:
    """Asks one worker process, and gives it the programs that it lacks.

    Every call raises the ServiceError that the worker answers with, and WorkerGoneError if the worker
    goes before it answers.

    Args:
        channel: The open conversation.
        source: Where programs come from.
    """

    def __init__(self, channel: Channel, source: Source) -> None:
        self._channel = channel
        self._source = source
        self._provisions: dict[str, asyncio.Task[object]] = {}
        self._warm: set[tuple[Kind, int | None]] = set()

    @property
    def open(self) -> bool:
        """Whether the worker is still there, as far as is known."""
        return self._channel.is_open

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return self._channel.in_flight

    async def load(self, digest: str, program: bytes, *, survey: bool = False) -> Findings:
        """Has the worker read and trace a program; gives what it finds, its derivatives if `survey`."""
        for _ in range(_PROVISIONS):
            answer = await self._ask(lambda id_: Frame(LoadProgram(id_, digest, program, survey)))
            match answer.message:
                case ProgramLoaded() as message:
                    return self._findings(message)
                case ConstantsMissing(digests=digests):
                    for constant in digests:
                        await self._bring(constant)
                case _:
                    raise self._break_off(f"it answers {type(answer.message).__name__}")
        raise self._too_little_memory(digest)

    def _findings(self, message: ProgramLoaded) -> Findings:
        try:
            return findings_of(message)
        except FrameError as error:
            raise self._break_off(str(error)) from error

    async def _bring(self, digest: str) -> None:
        data = await self._source.constant(digest)
        answer = await self._ask(lambda id_: Frame(LoadConstant(id_, digest), (data,)))
        if not isinstance(answer.message, ConstantLoaded):
            raise self._break_off(f"it answers {type(answer.message).__name__}")

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles, and says whether the executable was there already."""
        fields = (compilation.wants, compilation.points, compilation.shared_leaves, compilation.sizes)
        answer = await self._ask_about(
            compilation.digest, lambda id_: Frame(Compile(id_, compilation.digest, *fields))
        )
        match answer.message:
            case Compiled(cached=cached):
                return cached
            case _:
                raise self._break_off(f"it answers {type(answer.message).__name__}")

    async def graph(self, query: GraphQuery) -> Graph:
        """Gives the graph of what an evaluation would run."""
        digest = query.compilation.digest
        answer = await self._ask_about(digest, lambda id_: Frame(GetGraph(id_, query)))
        match answer.message:
            case GraphGiven(graph=graph):
                return graph
            case _:
                raise self._break_off(f"it answers {type(answer.message).__name__}")

    async def evaluate(self, evaluation: Evaluation) -> Outcome:
        """Evaluates."""
        answer = await self._ask_about(evaluation.kind.digest, lambda id_: evaluate_frame(id_, evaluation))
        match answer.message:
            case Evaluated() as message:
                try:
                    outcome = outcome_of(message, answer.buffers)
                except FrameError as error:
                    raise self._break_off(str(error)) from error
                self._warm.add((evaluation.kind, _bucket(evaluation.points)))
                return outcome
            case _:
                raise self._break_off(f"it answers {type(answer.message).__name__}")

    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles what so many points of a kind need."""
        leaves = len(kind.arguments)
        batched = (kind.batched or (True,) * leaves)[:leaves]
        shared = tuple(number for number, leads in enumerate(batched) if not leads)
        await self.compile(Compilation(kind.digest, kind.wants, points, shared))
        self._warm.add((kind, _bucket(points)))

    def is_warm(self, kind: Kind, points: int | None) -> bool:
        """Whether so many points of a kind ran here or were compiled."""
        return (kind, _bucket(points)) in self._warm

    async def _ask_about(self, digest: str, make: Callable[[int], Frame]) -> Frame:
        for _ in range(_PROVISIONS):
            answer = await self._ask(make)
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

    async def _ask(self, make: Callable[[int], Frame]) -> Frame:
        answer = await self._channel.ask(make)
        match answer.message:
            case Failed(reason=reason, message=message, metadata=metadata):
                raise self._failure(reason, message, metadata)
            case _:
                return answer

    async def _provide(self, digest: str) -> None:
        """Loads a program once for all who miss it, even if the first of them goes away."""
        task = self._provisions.get(digest)
        if task is None:
            task = self._provisions[digest] = asyncio.create_task(self._fetch(digest))
            task.add_done_callback(lambda _: self._provisions.pop(digest, None))
        await asyncio.shield(task)

    async def _fetch(self, digest: str) -> Findings:
        return await self.load(digest, await self._source.program(digest))

    def _failure(self, reason: str, message: str, metadata: dict[str, str]) -> Exception:
        try:
            error = service_error(Reason(reason), message)
        except ValueError:
            return self._break_off(f"it fails for the unknown reason {reason!r}")
        error.metadata.update(metadata)
        return error

    def _break_off(self, why: str) -> WorkerGoneError:
        """Gives up a worker that a program has damaged."""
        error = WorkerGoneError(f"the worker makes no sense: {why}")
        self._channel.break_off(error)
        return error


def _bucket(points: int | None) -> int:
    """The number of points that a batch is padded to, if it is one tile; 0 for a single point."""
    return 0 if points is None else 1 << (points - 1).bit_length()
