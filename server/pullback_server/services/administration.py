"""AdministrationService: what concerns the whole server, for administrators."""

from __future__ import annotations

import asyncio
from typing import Final

from pullback.v1 import administration_pb2 as pb
from pullback_server.registry.registry import Registry
from pullback_server.services import live
from pullback_server.services.observation import Observation
from pullback_server.services.rights import require
from pullback_server.tenants.callers import Role


class Administration:
    """Answers AdministrationService.

    Args:
        registry: Where functions are kept.
        observation: What the server does.
    """

    audited: Final = True

    def __init__(self, registry: Registry, observation: Observation) -> None:
        self._registry = registry
        self._observation = observation

    async def list_tenants(self, request: pb.ListTenantsRequest) -> pb.ListTenantsResponse:
        """Lists tenants with what they use."""
        del request
        require(Role.ADMINISTER, "listing tenants")
        usage = await asyncio.to_thread(self._registry.usage)
        tenants = [
            pb.Tenant(name=name, functions=used.functions, stored_bytes=used.stored_bytes)
            for name, used in sorted(usage.items())
        ]
        return pb.ListTenantsResponse(tenants=tenants)

    async def get_status(self, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
        """Gives what the server is doing now."""
        require(Role.ADMINISTER, "looking at what the server does")
        return live.status(self._observation, request)

    async def list_requests(self, request: pb.ListRequestsRequest) -> pb.ListRequestsResponse:
        """Lists the requests in hand and the last that ended."""
        require(Role.ADMINISTER, "looking at the requests of everybody")
        return live.requests(self._observation, request)
