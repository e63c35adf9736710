"""What administrators ask of a server. Its twin is `_aio_administration`."""

from __future__ import annotations

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
    from pullback.client import Client


class Administration:
    """What concerns a whole server, for callers with the role `administer`; it is `Client.administration`.

    Every call raises PermissionDeniedError for other callers, and PullbackError if it fails.

    Args:
        client: The client that carries its calls.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        self._client = client

    def tenants(self, *, timeout: float | None = None) -> tuple[Tenant, ...]:
        """The tenants in the order of their names, with what they use."""
        return tenants_from_wire(self._client.call(LIST_TENANTS, pb.ListTenantsRequest(), timeout))

    def quarantine(self, *, timeout: float | None = None) -> tuple[QuarantinedProgram, ...]:
        """The programs that are refused since they have killed workers, the latest last."""
        return quarantine_from_wire(self._client.call(LIST_QUARANTINE, pb.ListQuarantineRequest(), timeout))

    def clear(self, digest: str, *, timeout: float | None = None) -> str:
        """Lets a program run again that is in quarantine; gives its whole digest.

        Args:
            digest: The digest, or its first 8 digits or more.
            timeout: In seconds; None is the client's.

        Raises:
            NotFoundError: If none in quarantine has such a digest.
        """
        request = pb.ClearQuarantineRequest(digest=digest)
        return self._client.call(CLEAR_QUARANTINE, request, timeout).digest

    def collect(self, *, timeout: float | None = None) -> Collected:
        """Removes uploads that nobody has registered in time, and programs that nothing needs."""
        return collected_from_wire(self._client.call(COLLECT_GARBAGE, pb.CollectGarbageRequest(), timeout))

    def adopt(self, tenant: str, functions: Sequence[str] = (), *, timeout: float | None = None) -> Adopted:
        """Gives functions that were registered while the server knew no identities to a tenant.

        Args:
            tenant: The tenant.
            functions: Their names; none means all.
            timeout: In seconds; None is the client's.

        Raises:
            NotFoundError: If there is no such tenant or function.
        """
        request = pb.AdoptFunctionsRequest(tenant=tenant, functions=functions)
        return adopted_from_wire(self._client.call(ADOPT_FUNCTIONS, request, timeout))

    def requests(
        self,
        *,
        tenant: str | None = None,
        failed: bool = False,
        most: int = 0,
        timeout: float | None = None,
    ) -> tuple[RecordedRequest, ...]:
        """The evaluations in hand, and the last that have ended, the last one first.

        Args:
            tenant: Only those of this tenant; None is all.
            failed: Only those that failed.
            most: The most of those that have ended; 0 is the server's choice.
            timeout: In seconds; None is the client's.
        """
        request = pb.ListRequestsRequest(page_size=most, tenant=tenant, failed=failed)
        return requests_from_wire(self._client.call(LIST_REQUESTS, request, timeout))

    def export_registry(self, path: str | Path, *, timeout: float = A_DAY) -> int:
        """Writes all functions of all tenants to a file, as one archive; gives its size in bytes.

        Args:
            path: The file, which is there once it is whole.
            timeout: In seconds.

        Raises:
            OSError: If the file cannot be written.
        """
        with whole_file(Path(path)) as file:
            request = pb.ExportRegistryRequest()
            for message in self._client.download(EXPORT_REGISTRY, request, timeout):
                file.write(message.chunk)
            return file.tell()

    def import_registry(self, path: str | Path, *, timeout: float = A_DAY) -> Imported:
        """Takes over what an archive has, all of it or nothing; a second time that changes nothing.

        Args:
            path: The archive.
            timeout: In seconds.

        Raises:
            OSError: If the file cannot be read.
            InvalidArgumentError: If it is no whole archive.
        """
        with import_requests(Path(path)) as chunks:
            return imported_from_wire(self._client.upload(IMPORT_REGISTRY, chunks, timeout))
