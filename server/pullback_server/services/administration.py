"""AdministrationService: what concerns the whole server, for administrators."""

from __future__ import annotations

import asyncio

from pullback.v1 import administration_pb2 as pb
from pullback_server.registry.registry import Registry
from pullback_server.services.rights import require
from pullback_server.tenants.callers import Role


class Administration:
    """Answers AdministrationService.

    Args:
        registry: Where functions are kept.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

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
