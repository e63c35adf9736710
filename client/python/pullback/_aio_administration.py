"""What administrators ask of a server, awaited: the twin of `_administration`."""

# ruff: noqa: ASYNC109 -- as in `aio`

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pullback._archives import A_DAY, import_requests, whole_file
from pullback._methods import (
    ADOPT_FUNCTIONS,
    CLEAR_QUARANTINE,
    COLLECT_GARBAGE,
    EXPORT_REGISTRY,
    IMPORT_REGISTRY,
    LIST_QUARANTINE,
    LIST_REQUESTS,
    LIST_TENANTS,
)
from pullback._records import (
    Adopted,
    Collected,
    Imported,
    QuarantinedProgram,
    RecordedRequest,
    Tenant,
    adopted_from_wire,
    collected_from_wire,
    imported_from_wire,
    quarantine_from_wire,
    requests_from_wire,
    tenants_from_wire,
)
from pullback.v1 import administration_pb2 as pb

if TYPE_CHECKING:
    from pullback.aio import AsyncClient


class AsyncAdministration:
    """What concerns a whole server, as `Administration`; it is `AsyncClient.administration`.

    Args:
        client: The client that carries its calls.
    """

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def tenants(self, *, timeout: float | None = None) -> tuple[Tenant, ...]:
        """The tenants in the order of their names, with what they use."""
        return tenants_from_wire(await self._client.call(LIST_TENANTS, pb.ListTenantsRequest(), timeout))

    async def quarantine(self, *, timeout: float | None = None) -> tuple[QuarantinedProgram, ...]:
        """The programs that are refused since they have killed workers, the latest last."""
        return quarantine_from_wire(
            await self._client.call(LIST_QUARANTINE, pb.ListQuarantineRequest(), timeout)
        )

    async def clear(self, digest: str, *, timeout: float | None = None) -> str:
        """Lets a program run again that is in quarantine; gives its whole digest.

        Args:
            digest: The digest, or its first 8 digits or more.
            timeout: In seconds; None is the client's.

        Raises:
            NotFoundError: If none in quarantine has such a digest.
        """
        request = pb.ClearQuarantineRequest(digest=digest)
        return (await self._client.call(CLEAR_QUARANTINE, request, timeout)).digest

    async def collect(self, *, timeout: float | None = None) -> Collected:
        """Removes uploads that nobody has registered in time, and programs that nothing needs."""
        return collected_from_wire(
            await self._client.call(COLLECT_GARBAGE, pb.CollectGarbageRequest(), timeout)
        )

    async def adopt(
        self, tenant: str, functions: Sequence[str] = (), *, timeout: float | None = None
    ) -> Adopted:
        """Gives functions that were registered while the server knew no identities to a tenant.

        Args:
            tenant: The tenant.
            functions: Their names; none means all.
            timeout: In seconds; None is the client's.

        Raises:
            NotFoundError: If there is no such tenant or function.
        """
        request = pb.AdoptFunctionsRequest(tenant=tenant, functions=functions)
        return adopted_from_wire(await self._client.call(ADOPT_FUNCTIONS, request, timeout))

    async def requests(
        self,
        *,
        tenant: str | None = None,
        failed: bool = False,
        most: int = 0,
        timeout: float | None = None,
    ) -> tuple[RecordedRequest, ...]:
        """The evaluations in hand and the last that ended, as `Administration.requests`."""
        request = pb.ListRequestsRequest(page_size=most, tenant=tenant, failed=failed)
        return requests_from_wire(await self._client.call(LIST_REQUESTS, request, timeout))

    async def export_registry(self, path: str | Path, *, timeout: float = A_DAY) -> int:
        """Writes all functions to a file, as `Administration.export_registry`.

        Raises:
            OSError: If the file cannot be written.
        """
        with whole_file(Path(path)) as file:
            request = pb.ExportRegistryRequest()
            async for message in self._client.download(EXPORT_REGISTRY, request, timeout):
                await asyncio.to_thread(file.write, message.chunk)
            return file.tell()

    async def import_registry(self, path: str | Path, *, timeout: float = A_DAY) -> Imported:
        """Takes over what an archive has, as `Administration.import_registry`.

        Raises:
            OSError: If the file cannot be read.
            InvalidArgumentError: If it is no whole archive.
        """
        with import_requests(Path(path)) as chunks:
            return imported_from_wire(await self._client.upload(IMPORT_REGISTRY, chunks, timeout))
