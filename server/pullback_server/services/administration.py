"""AdministrationService: what concerns the whole server, for administrators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from pullback.v1 import administration_pb2 as pb
from pullback_server.engine.quarantine import Entry, Quarantine
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.archive import export_registry, import_registry
from pullback_server.registry.names import parse_function_name, revision_name
from pullback_server.registry.registry import Registry
from pullback_server.registry.usage import Usage
from pullback_server.scheduling.figures import TenantFigures
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services import live
from pullback_server.services.audit import changing
from pullback_server.services.conversion import timestamp
from pullback_server.services.flowing import flow_in, flow_out
from pullback_server.services.observation import Observation
from pullback_server.services.rights import require, require_tenant
from pullback_server.services.status import duration
from pullback_server.tenants.callers import ANYBODY, Role
from pullback_server.tenants.current import CurrentDirectory

_NOTHING: Final = Usage(0, 0)
_NEVER: Final = TenantFigures()
_FEWEST_DIGITS: Final = 8


class Administration:
    """Answers AdministrationService.

    Args:
        registry: Where functions are kept.
        scheduler: What knows what tenants have had.
        quarantine: The programs that are refused.
        directory: The tenants.
        observation: What the server does.
    """

    audited: Final = True

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        quarantine: Quarantine,
        directory: CurrentDirectory,
        observation: Observation,
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._quarantine = quarantine
        self._directory = directory
        self._observation = observation

    async def list_tenants(self, request: pb.ListTenantsRequest) -> pb.ListTenantsResponse:
        """Lists tenants with what they use."""
        del request
        require(Role.ADMINISTER, "listing tenants")
        usage = await asyncio.to_thread(self._registry.usage)
        figures = self._scheduler.tenants()
        having = (name for name, used in usage.items() if used != _NOTHING)
        names = {*having, *figures, *(tenant.name for tenant in self._directory.directory)}
        tenants = [
            self._tenant(name, usage.get(name, _NOTHING), figures.get(name, _NEVER)) for name in sorted(names)
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

    async def list_quarantine(self, request: pb.ListQuarantineRequest) -> pb.ListQuarantineResponse:
        """Lists the programs that are refused."""
        del request
        require(Role.ADMINISTER, "looking at the quarantine")
        programs: dict[str, list[Entry]] = {}
        for entry in self._quarantine.entries():
            programs.setdefault(entry.digest, []).append(entry)
        return pb.ListQuarantineResponse(programs=map(self._quarantined, programs.values()))

    async def clear_quarantine(self, request: pb.ClearQuarantineRequest) -> pb.ClearQuarantineResponse:
        """Lets a program run again."""
        async with changing("clear", digest=request.digest) as change:
            require(Role.ADMINISTER, "clearing the quarantine")
            digest = change.details["digest"] = self._digest_in_quarantine(request.digest)
            await asyncio.to_thread(self._quarantine.clear, digest)
        return pb.ClearQuarantineResponse(digest=digest)

    async def collect_garbage(self, request: pb.CollectGarbageRequest) -> pb.CollectGarbageResponse:
        """Removes what nothing needs."""
        del request
        async with changing("collect") as change:
            require(Role.ADMINISTER, "collecting garbage")
            collected = await asyncio.to_thread(self._registry.collect)
            change.details["bytes"] = str(collected.nbytes)
        return pb.CollectGarbageResponse(
            uploads=collected.uploads, blobs=collected.blobs, bytes=collected.nbytes
        )

    async def adopt_functions(self, request: pb.AdoptFunctionsRequest) -> pb.AdoptFunctionsResponse:
        """Gives functions that belong to nobody to a tenant."""
        async with changing("adopt", grantee=request.tenant) as change:
            if require(Role.ADMINISTER, "giving functions to a tenant") is ANYBODY:
                raise _nobody_is_known(request.tenant)
            require_tenant(self._directory.directory, request.tenant)
            names = [parse_function_name(f"functions/{name}").function for name in request.functions]
            given = await asyncio.to_thread(self._registry.adopt, request.tenant, names)
            change.details["functions"] = " ".join(given.adopted)
        return pb.AdoptFunctionsResponse(adopted=given.adopted, left=given.left)

    async def export_registry(
        self, request: pb.ExportRegistryRequest
    ) -> AsyncIterator[pb.ExportRegistryResponse]:
        """Gives all functions as one archive."""
        del request
        async with changing("export"):
            require(Role.ADMINISTER, "exporting the registry")
            async with aclosing(flow_out(partial(export_registry, self._registry))) as chunks:
                async for chunk in chunks:
                    yield pb.ExportRegistryResponse(chunk=chunk)

    async def import_registry(
        self, requests: AsyncIterator[pb.ImportRegistryRequest]
    ) -> pb.ImportRegistryResponse:
        """Takes over what an archive has."""
        async with changing("import") as change:
            require(Role.ADMINISTER, "importing a registry")
            chunks = (request.chunk async for request in requests)
            archived = await flow_in(chunks, partial(import_registry, self._registry))
            change.details["functions"] = str(archived.changed)
        return pb.ImportRegistryResponse(
            functions=archived.functions,
            changed=archived.changed,
            blobs=archived.blobs,
            bytes=archived.nbytes,
        )

    def _tenant(self, name: str, usage: Usage, figures: TenantFigures) -> pb.Tenant:
        tenant = self._directory.tenant(name)
        return pb.Tenant(
            name=name,
            functions=usage.functions,
            stored_bytes=usage.stored_bytes,
            in_flight=figures.in_flight,
            requests=figures.requests,
            device_time=duration(figures.device_seconds),
            max_functions=tenant.max_functions,
            max_stored_bytes=tenant.max_stored_bytes,
        )

    def _quarantined(self, entries: Sequence[Entry]) -> pb.QuarantinedProgram:
        """What is known of a program, from what it did at requests of each tenant; the last is the latest."""
        last = entries[-1]
        tenants = ", ".join(sorted(repr(entry.tenant) for entry in entries if entry.tenant))
        return pb.QuarantinedProgram(
            digest=last.digest,
            deaths=sum(entry.deaths for entry in entries),
            cause=f"{last.why} (refused to {tenants})" if tenants else last.why,
            death_time=timestamp(last.since),
            revisions=[revision_name(key, last.digest) for key in self._registry.having(last.digest)],
        )

    def _digest_in_quarantine(self, digits: str) -> str:
        digests = list(dict.fromkeys(entry.digest for entry in self._quarantine.entries()))
        fitting = [digest for digest in digests if digest.startswith(digits)]
        if len(digits) < _FEWEST_DIGITS or len(fitting) > 1:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"{digits[:100]!r} fits {len(fitting)} programs in quarantine; give so many digits that it "
                f"fits one, and at least {_FEWEST_DIGITS}",
            )
        if not fitting:
            raise service_error(
                Reason.PROGRAM_NOT_FOUND,
                f"no program in quarantine has a digest that begins with {digits[:100]!r}; ListQuarantine "
                f"gives the {len(digests)} that are",
                digest=digits[:100],
            )
        return fitting[0]


def _nobody_is_known(tenant: str) -> ServiceError:
    return service_error(
        Reason.TENANT_NOT_FOUND,
        f"this server asks nobody who calls, so nobody could name functions of the tenant {tenant[:300]!r}; "
        "start it with a tenants file first",
        tenant=tenant[:300],
    )
