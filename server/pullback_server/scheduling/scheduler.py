"""The scheduler: what services ask for evaluations."""

from __future__ import annotations

from pullback.graphs.data import Graph
from pullback_server.engine.interface import Engine
from pullback_server.model.evaluation import Compilation, Evaluation, Outcome
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.tickets import OPEN, Ticket
from pullback_server.scheduling.admission import Admission
from pullback_server.scheduling.batcher import Batcher
from pullback_server.scheduling.figures import Figures
from pullback_server.scheduling.lane import Joining

NO_JOINING = Joining(0, 0)


class Scheduler:
    """Brings admitted requests to the engine. Every call raises what the engine raises, and OVERLOADED.

    Args:
        engine: What computes.
        admission: The bound on requests in flight.
        joining: How much of what waits may travel together.
    """

    def __init__(self, engine: Engine, admission: Admission, joining: Joining = NO_JOINING) -> None:
        self._engine = engine
        self._admission = admission
        self._batcher = Batcher(engine, joining)

    @property
    def figures(self) -> Figures:
        """What was joined, cut and padded, summed."""
        return self._batcher.figures

    async def load(self, digest: str, program: bytes) -> Findings:
        """Has a program read and traced; gives what is found."""
        with self._admission.admitted():
            return await self._engine.load(digest, program)

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles ahead, and says whether the executable was there already."""
        with self._admission.admitted():
            return await self._engine.compile(compilation)

    async def graph(self, query: GraphQuery) -> Graph:
        """Gives the graph of what an evaluation would run."""
        with self._admission.admitted():
            return await self._engine.graph(query)

    async def evaluate(self, evaluation: Evaluation, ticket: Ticket = OPEN) -> Outcome:
        """Evaluates."""
        began = self._admission.enter()
        try:
            return await self._batcher.evaluate(evaluation, ticket)
        finally:
            self._admission.leave(began)
