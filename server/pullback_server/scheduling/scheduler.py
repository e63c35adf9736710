"""The scheduler: what services ask for evaluations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from pullback.graphs.data import Graph
from pullback_server.engine.interface import Engine
from pullback_server.model.evaluation import Compilation, Evaluation, Outcome
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.tickets import OPEN, Ticket, ticket
from pullback_server.scheduling.admission import Admission
from pullback_server.scheduling.batcher import Batcher
from pullback_server.scheduling.figures import Figures, TenantFigures
from pullback_server.scheduling.lane import Joining

_T = TypeVar("_T")

NO_JOINING = Joining(0, 0)


class Scheduler:
    """Brings admitted requests to the engine.

    Every call raises what the engine raises, and OVERLOADED, TENANT_OVERLOADED or RATE_LIMITED.

    Args:
        engine: What computes.
        admission: The bounds on requests in flight.
        joining: How much of what waits may travel together.
    """

    def __init__(self, engine: Engine, admission: Admission, joining: Joining = NO_JOINING) -> None:
        self._engine = engine
        self._admission = admission
        self._accounts = admission.accounts
        self._batcher = Batcher(engine, joining, self._accounts)
        admission.shed_by(self._batcher.shed)

    @property
    def figures(self) -> Figures:
        """What was joined, cut and padded, summed."""
        return self._batcher.figures

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._admission.in_flight

    def tenants(self) -> Mapping[str, TenantFigures]:
        """What each tenant that has called has and had, by name."""
        return {account.name: account.figures for account in self._accounts}

    async def load(self, digest: str, program: bytes) -> Findings:
        """Has a program read and traced; gives what is found."""
        return await self._admitted(partial(self._engine.load, digest, program))

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles ahead, and says whether the executable was there already."""
        return await self._admitted(partial(self._engine.compile, compilation))

    async def graph(self, query: GraphQuery) -> Graph:
        """Gives the graph of what an evaluation would run."""
        return await self._admitted(partial(self._engine.graph, query))

    async def evaluate(self, evaluation: Evaluation, ticket: Ticket = OPEN) -> Outcome:
        """Evaluates."""
        account = self._accounts.of(ticket.tenant)
        began = self._admission.enter(account)
        try:
            return await self._batcher.evaluate(evaluation, ticket, account)
        finally:
            self._admission.leave(account, began)

    async def _admitted(self, work: Callable[[], Awaitable[_T]]) -> _T:
        own = ticket.get()
        account = self._accounts.of(own.tenant)
        began = self._admission.enter(account)
        try:
            async with self._batcher.gate.place(account, own):
                return await work()
        finally:
            self._admission.leave(account, began)
