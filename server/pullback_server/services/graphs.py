"""GraphService: what an evaluation would run, and what that costs."""

from __future__ import annotations

from pullback.graphs.wire import graph_to_wire
from pullback.v1 import graphs_pb2 as pb
from pullback_server.model.graphs import GraphQuery
from pullback_server.registry.names import key_of, parse_name, revision_name
from pullback_server.registry.registry import Registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.requests.evaluations import check_compilation
from pullback_server.services.requests.limits import Limits
from pullback_server.tenants.callers import caller


class Graphs:
    """Answers GraphService.

    Args:
        registry: Where functions are found.
        scheduler: What makes graphs.
        limits: The server's limits.
    """

    def __init__(self, registry: Registry, scheduler: Scheduler, limits: Limits) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._limits = limits

    async def get_graph(self, request: pb.GetGraphRequest) -> pb.GetGraphResponse:
        """Gives a graph."""
        tenant = caller.get().tenant
        registered = self._registry.resolve(parse_name(request.function, tenant), tenant)
        query = GraphQuery(
            check_compilation(request, registered, self._limits),
            request.depth if request.HasField("depth") else None,
            request.merge_trivial,
            request.compiled_cost,
        )
        graph = await self._scheduler.graph(query)
        revision = revision_name(key_of(registered.function), registered.revision.digest, tenant)
        return pb.GetGraphResponse(revision=revision, graph=graph_to_wire(graph))
