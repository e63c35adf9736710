"""Which programs and constants are needed, and by whom; what nobody needs goes.

Needed is what functions have, what tenants have sent and not registered yet, and what somebody holds for a
while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from pullback.program.errors import ProgramError
from pullback.program.wire import program_from_bytes
from pullback_server.errors import ServiceError
from pullback_server.registry.blobs import DirectoryBlobs
from pullback_server.registry.catalogue import Catalogue
from pullback_server.registry.entries import blobs_of
from pullback_server.registry.homes import home, tenants_in
from pullback_server.registry.records import Collected
from pullback_server.registry.uploads import Uploads


class Needs:
    """Knows who needs which blobs. What changes anything is for who holds the registry's lock.

    Args:
        folder: The registry's directory.
        blobs: The programs and constants.
        catalogue: The functions.
    """

    def __init__(self, folder: Path, blobs: DirectoryBlobs, catalogue: Catalogue) -> None:
        self._folder = folder
        self._blobs = blobs
        self._catalogue = catalogue
        self._uploads = {name: self._opened(name) for name in tenants_in(folder)}
        self._held: Counter[str] = Counter()
        # Of uploaded programs, by their blobs: they are asked for with every change of any tenant.
        self._constants: dict[str, tuple[str, ...]] = {}

    def tenants(self) -> Collection[str]:
        """The tenants that have sent anything since the start, or before it."""
        return self._uploads.keys()

    def uploads_of(self, tenant: str) -> Uploads:
        """The uploads of a tenant."""
        if tenant not in self._uploads:
            # Another dict: readers go through it without the lock.
            self._uploads = {**self._uploads, tenant: self._opened(tenant)}
        return self._uploads[tenant]

    def uploaded(self, digest: str, tenant: str | None) -> set[str]:
        """The blobs of a program that a tenant has uploaded, or, for None, any tenant."""
        asked = [each for name, each in self._uploads.items() if tenant in (name, None)]
        return {blob for each in asked if (blob := each.find(digest)) and self._blobs.has(blob)}

    def missing(self, digests: Iterable[str], tenant: str) -> tuple[str, ...]:
        """What a tenant has not sent, though another may have: that one has it must not show.

        What a program of the tenant names, it may name for having heard of it.
        """
        revisions = [rev for entry in self._catalogue.of_tenant(tenant) for rev in entry.function.revisions]
        sent = {constant for revision in revisions for constant in revision.constants}
        if tenant in self._uploads:
            sent |= self._uploads[tenant].blobs()
        return tuple(
            digest for digest in dict.fromkeys(digests) if not (self._blobs.has(digest) and digest in sent)
        )

    def release(self, digest: str, constants: Iterable[str], tenant: str) -> None:
        """Forgets one who counted on a program and its constants.

        Raises:
            OSError: If the disk refuses.
        """
        for uploaded in (digest, *constants):
            self.uploads_of(tenant).release(uploaded)

    def hold(self, blobs: Collection[str]) -> None:
        """Has blobs stay, also those that are not here yet."""
        self._held.update(blobs)

    def let_go(self, blobs: Collection[str]) -> None:
        """Has blobs that were held go, if nobody else needs them.

        Raises:
            OSError: If the disk refuses.
        """
        self._held.subtract(blobs)
        self._held = +self._held
        self.sweep()

    def stored_bytes(self, tenant: str, more: Collection[str] = ()) -> int:
        """The bytes of a tenant's functions, of its uploads and of some further blobs, each counted once."""
        used = blobs_of(self._catalogue.of_tenant(tenant)).union(self._waiting_of(tenant), more)
        return sum(map(self._blobs.size, used))

    def collect(self) -> Collected:
        """Forgets uploads that have waited too long, and removes what nothing needs.

        Raises:
            OSError: If the disk refuses.
        """
        uploads = sum(uploads.forget_overdue() for uploads in self._uploads.values())
        blobs, nbytes = self.sweep()
        return Collected(uploads, blobs, nbytes)

    def sweep(self) -> tuple[int, int]:
        """Removes blobs that nothing needs, unless a damaged catalogue file may; says how many, and bytes.

        Raises:
            OSError: If the disk refuses.
        """
        if self._catalogue.damaged:
            return 0, 0
        uploaded = map(self._waiting, self._uploads.values())
        used = blobs_of(self._catalogue.entries.values()).union(*uploaded, +self._held)
        removed = [(blob, self._blobs.size(blob)) for blob in self._blobs.digests() - used]
        for blob, _ in removed:
            self._blobs.remove(blob)
            self._constants.pop(blob, None)
        return len(removed), sum(nbytes for _, nbytes in removed)

    def _opened(self, tenant: str) -> Uploads:
        return Uploads(home(self._folder, tenant) / "uploads")

    def _waiting_of(self, tenant: str) -> frozenset[str]:
        uploads = self._uploads.get(tenant)
        return self._waiting(uploads) if uploads else frozenset()

    def _waiting(self, uploads: Uploads) -> frozenset[str]:
        """The blobs of uploads, and the constants of the programs among them."""
        constants = (self._constants_of(blob) for blob in uploads.programs())
        return uploads.blobs().union(*constants)

    def _constants_of(self, blob: str) -> tuple[str, ...]:
        """The constants of a program that is kept; those of one that is damaged are nobody's."""
        constants = self._constants.get(blob)
        if constants is None:
            try:
                constants = self._constants[blob] = program_from_bytes(self._blobs.read(blob)).constants
            except (ServiceError, ProgramError):
                return ()
        return constants
