"""Constants of programs: which are missing, and their upload in chunks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from pullback.v1 import functions_pb2 as pb
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.blobs import Arriving
from pullback_server.registry.names import is_digest
from pullback_server.registry.registry import Registry
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.programs import check_constant_size
from pullback_server.tenants.callers import caller


class Constants:
    """Answers the methods of FunctionService that are about constants.

    Args:
        registry: Where constants are kept.
        limits: The server's limits.
    """

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self._registry = registry
        self._limits = limits
        self._coming: Counter[str] = Counter()

    async def missing(self, request: pb.ListMissingConstantsRequest) -> pb.ListMissingConstantsResponse:
        """Gives those of the constants that have to be uploaded."""
        for digest in request.digests:
            if not is_digest(digest):
                raise _malformed(f"{digest[:100]!r} is no digest of 64 hexadecimal digits")
        tenant = caller.get().tenant
        missing = await asyncio.to_thread(self._registry.missing_constants, request.digests, tenant)
        return pb.ListMissingConstantsResponse(missing_digests=missing)

    async def upload(self, requests: AsyncIterator[pb.UploadConstantRequest]) -> pb.UploadConstantResponse:
        """Stores a constant that comes in chunks, if it is whole and has its digest."""
        first = await anext(requests, None)
        if first is None or not is_digest(first.digest) or first.size_bytes < 0:
            raise _malformed(
                "an upload begins with the constant's digest (64 hexadecimal digits) and size_bytes"
            )
        check_constant_size(first.size_bytes, self._limits)
        tenant = caller.get().tenant
        # What comes at the same time counts together, or many that are not whole would fill the disk.
        self._coming[tenant] += first.size_bytes
        try:
            await asyncio.to_thread(self._registry.require_room, self._coming[tenant], tenant)
            await self._arrived(first, requests, tenant)
        finally:
            self._coming[tenant] -= first.size_bytes
        return pb.UploadConstantResponse(digest=first.digest)

    async def _arrived(
        self, first: pb.UploadConstantRequest, requests: AsyncIterator[pb.UploadConstantRequest], tenant: str
    ) -> None:
        made = list[Arriving]()
        try:
            await _in_thread(lambda: made.append(self._registry.arrive()))
            (arriving,) = made
            await self._receive(first, requests, arriving)
            await _in_thread(self._registry.upload_constant, arriving, tenant)
        finally:
            for arriving in made:
                await _in_thread(arriving.drop)

    async def _receive(
        self,
        first: pb.UploadConstantRequest,
        requests: AsyncIterator[pb.UploadConstantRequest],
        arriving: Arriving,
    ) -> None:
        await _in_thread(arriving.add, first.chunk)
        async for request in requests:
            await _in_thread(arriving.add, request.chunk)
            if arriving.size > first.size_bytes:
                break
        if arriving.size != first.size_bytes:
            raise _malformed(
                f"size_bytes announced {first.size_bytes} bytes, but {arriving.size} came; upload it again"
            )
        if arriving.digest != first.digest:
            raise service_error(
                Reason.DIGEST_MISMATCH,
                f"the constant that came has the digest {arriving.digest}, but {first.digest} was announced; "
                "upload it again",
                expected=first.digest,
                actual=arriving.digest,
            )


async def _in_thread(work: Callable[..., object], *arguments: object) -> None:
    """Has a thread do something, and waits for its end in any case.

    A call that is broken off drops its file: what still wrote there would write to whatever file has its
    descriptor next.
    """
    working = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(working)
    finally:
        while not working.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((working,))
        # Seen: whoever broke the call off need not be told by asyncio's log what else failed.
        if not working.cancelled():
            working.exception()


def _malformed(message: str) -> ServiceError:
    return service_error(Reason.MALFORMED_REQUEST, message)
