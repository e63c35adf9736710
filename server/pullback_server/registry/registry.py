"""The registry: functions by name, programs by digest."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import IO, Final

from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError
from pullback.program.wire import program_from_bytes, program_to_bytes
from pullback_server.errors import Reason, ServiceError, StoredDataError, service_error
from pullback_server.model.functions import EVERY_TENANT, Registered, Revision
from pullback_server.registry.blobs import Arriving, DirectoryBlobs
from pullback_server.registry.catalogue import Catalogue, Entry
from pullback_server.registry.entries import blobs_of, merged, registered, revision_of, visible, with_revision
from pullback_server.registry.files import afterwards, locked, remove_temporaries, telling
from pullback_server.registry.names import Key, ResourceName, key_of
from pullback_server.registry.needs import Needs
from pullback_server.registry.pages import cut
from pullback_server.registry.records import Adopted, Collected, Registration
from pullback_server.registry.sight import Sight
from pullback_server.registry.usage import Usage, require_bytes, require_place, require_revision
from pullback_server.tenants.directory import EVERYBODY, Tenant

_ROOMS: Final = ("blobs", "functions", "uploads", "tenants")


@contextmanager
def open_registry(
    folder: Path, tenant: Callable[[str], Tenant] = EVERYBODY.tenant, max_revisions: int = sys.maxsize
) -> Iterator[Registry]:
    """Opens the registry of a directory and keeps other servers out of it.

    Args:
        folder: The directory.
        tenant: Gives what a tenant may have, by its name.
        max_revisions: The most revisions that a function may be given.

    Raises:
        DirectoryInUseError: If another server uses the directory.
        OSError: If the directory cannot be read or written.
    """
    with locked(folder):
        registry = Registry(folder, tenant, max_revisions)
        registry.tidy()
        yield registry


class Registry:
    """Keeps functions and programs in a directory. Its methods block, and any thread may call them.

    A function belongs to a tenant; others see it if it was granted to them. Bytes are kept once, whosoever
    they are, but a tenant has to have sent those that its programs are made of.

    Args:
        folder: The directory, which no other process uses.
        tenant: Gives what a tenant may have, by its name.
        max_revisions: The most revisions that a function may be given.
    """

    def __init__(
        self,
        folder: Path,
        tenant: Callable[[str], Tenant] = EVERYBODY.tenant,
        max_revisions: int = sys.maxsize,
    ) -> None:
        self._folder = folder
        self._tenant = tenant
        self._max_revisions = max_revisions
        self._blobs = DirectoryBlobs(folder / "blobs")
        self._catalogue = Catalogue(folder)
        self._needs = Needs(folder, self._blobs, self._catalogue)
        self._sight = Sight(self._catalogue)
        self._changing = threading.Lock()

    def tidy(self) -> None:
        """Removes what a killed server had begun to write, and uploads that nobody registered for a day.

        Raises:
            OSError: If the disk refuses.
        """
        with self._changing:
            remove_temporaries(self._folder, _ROOMS)
            self._needs.collect()

    def collect(self) -> Collected:
        """Removes uploads that have waited too long, and programs and constants that nothing needs.

        What functions have is needed, and what somebody has brought or was told is here, to register it.

        Raises:
            ExecutionError: INTERNAL if the disk refuses.
        """
        with self._change():
            return self._needs.collect()

    @property
    def generation(self) -> object:
        """Another object after every change of what names mean; compared by identity."""
        return self._catalogue.entries

    def resolve(self, name: ResourceName, reader: str | None = "") -> Registered:
        """The function of a name at the revision of the name.

        Args:
            name: The name.
            reader: The tenant that asks, for whom there is only what it may see; None sees everything.

        Raises:
            RequestError: FUNCTION_NOT_FOUND, REVISION_NOT_FOUND, or MALFORMED_REQUEST if the first digits
                of a digest fit several revisions.
            StoredDataError: If the function's catalogue file is damaged.
        """
        entry = self._sight.seen(name.key, reader)
        if name.digest is None:
            return registered(entry)
        return registered(entry, revision_of(entry.function, name.digest))

    def current(self, key: Key) -> Registered | None:
        """The function at its current revision; None if there is none or the revision's blob is damaged."""
        entry = self._catalogue.find(key)
        if entry is None or not self._blobs.sound(entry.function.current_revision.blob):
            return None
        return registered(entry)

    def page(
        self,
        after: Key,
        size: int,
        labels: Mapping[str, str],
        *,
        tenant: str = "",
        reader: str | None = "",
        with_nobodys: bool = True,
    ) -> tuple[Sequence[Registered], str]:
        """Functions in the order of their tenants and names.

        Args:
            after: The function after which to begin; with empty names to begin with the first.
            size: The most functions to give.
            labels: Labels that each must have.
            tenant: Whose functions; EVERY_TENANT is those of all.
            reader: The tenant that asks, for whom there is only what it may see; None sees everything.
            with_nobodys: Whether those of the tenant with the empty name are among those of all.

        Returns:
            The functions at their current revisions, and the token of the next page or an empty text.
        """
        fitting = [
            registered(entry)
            for key, entry in sorted(self._catalogue.entries.items(), key=itemgetter(0))
            if key > after
            and (key.tenant == tenant or (tenant == EVERY_TENANT and (key.tenant or with_nobodys)))
            and visible(entry, reader)
            and labels.items() <= entry.function.labels.items()
        ]
        return cut(fitting, size)

    def register(self, registration: Registration) -> Registered:
        """Stores a program as the current revision of a function, which it makes if need be.

        Raises:
            RequestError: CONSTANT_NOT_FOUND if the tenant has not sent a constant of the program.
            StoredDataError: If the function's catalogue file is damaged.
            PressureError: STORAGE_FULL if the disk has no room, TENANT_FULL if the tenant has as much as it
                may, or the function as many revisions.
        """
        digest = digest_of(registration.program)
        tenant = self._tenant(registration.tenant)
        with self._change():
            before = self._catalogue.find(registration.key)
            if before is None:
                require_place(tenant, len(list(self._catalogue.of_tenant(tenant.name))))
            else:
                require_revision(before.function, digest, self._max_revisions)
            constants = registration.program.constants
            self.require_constants(constants, tenant.name)
            blob = self._blobs.keep(program_to_bytes(registration.program))
            self._require_bytes(tenant, {blob, *constants})
            revision = Revision(
                digest,
                blob,
                registration.program.format,
                time.time(),
                constants,
                registration.derivatives,
            )
            entry = with_revision(before, registration, revision)
            self._catalogue.put(entry)
            with afterwards("forget the uploads of what was registered"):
                self._needs.release(digest, constants, tenant.name)
        return registered(entry)

    def delete(self, key: Key) -> None:
        """Deletes a function, and the programs that no other function has.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if there is none.
            ExecutionError: INTERNAL if the disk refuses.
        """
        with self._change():
            if not self._catalogue.remove(key):
                raise self._sight.not_found(key, key.tenant)
            with afterwards("remove programs that no function has"):
                self._needs.sweep()

    def grant(self, key: Key, tenant: str) -> Registered:
        """Lets another tenant see and evaluate a function, or EVERY_TENANT; gives the function as it is then.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if there is none.
            StoredDataError: If its catalogue file is damaged.
            PressureError: STORAGE_FULL if the disk has no room.
        """
        return self._granted(key, lambda grants: grants | {tenant})

    def revoke(self, key: Key, tenant: str) -> Registered:
        """Takes a grant back, if there is one; holds from the next request on.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if there is none.
            StoredDataError: If its catalogue file is damaged.
            PressureError: STORAGE_FULL if the disk has no room.
        """
        return self._granted(key, lambda grants: grants - {tenant})

    def adopt(self, tenant: str, names: Collection[str] = ()) -> Adopted:
        """Gives functions of the tenant with the empty name to another, one after the other.

        A kill leaves each of them with the one or with the other, and to do it again gives the rest.

        Args:
            tenant: The tenant.
            names: The functions; none means all.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if neither of the two has one of them; then none is given.
            StoredDataError: If the catalogue file of one is damaged; then none is given.
            PressureError: STORAGE_FULL if the disk has no room; then some may have been given.
            ExecutionError: INTERNAL if it refuses for another reason; then some may have been given.
        """
        with self._change():
            known = {*self._catalogue.entries, *self._catalogue.damaged}
            asked = sorted(set(names) or {key.function for key in self._catalogue.entries if not key.tenant})
            left = tuple(name for name in asked if Key(tenant, name) in known)
            free = [Key("", name) for name in asked if name not in left]
            adopted = tuple(self._sight.seen(key, None).function.name for key in free)
            for key in free:
                self._catalogue.move(key, tenant)
        return Adopted(adopted, left)

    def upload(self, digest: str, program: bytes, tenant: str = "") -> None:
        """Stores a program that the tenant will register later.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room, TENANT_FULL if the tenant has as much as it
                may.
        """
        with self._change():
            self._keep_upload(tenant, digest, self._blobs.keep(program))

    def missing_constants(self, digests: Iterable[str], tenant: str = "") -> tuple[str, ...]:
        """Those of the constants that the tenant has to send, each once; the others stay until registered."""
        asked = tuple(dict.fromkeys(digests))
        with self._changing:
            missing = self._needs.missing(asked, tenant)
            for digest in frozenset(asked).difference(missing):
                self._needs.uploads_of(tenant).claim(digest)
        return missing

    def require_constants(self, digests: Iterable[str], tenant: str = "") -> None:
        """Makes sure that a tenant has sent the constants of a program, before anything is done with them.

        Raises:
            RequestError: CONSTANT_NOT_FOUND if it has not.
        """
        for digest in self._needs.missing(digests, tenant):
            raise _constant_not_found(digest)

    def require_room(self, nbytes: int, tenant: str = "") -> None:
        """Makes sure that a tenant may store so many bytes more, before they are sent.

        Raises:
            PressureError: TENANT_FULL if not.
        """
        who = self._tenant(tenant)
        if who.max_stored_bytes is not None:
            require_bytes(who, self._needs.stored_bytes(tenant) + nbytes)

    def arrive(self) -> Arriving:
        """Begins to take a constant that comes in parts; whoever calls it drops it in the end."""
        return self._blobs.arrive()

    def upload_constant(self, arrived: Arriving, tenant: str = "") -> None:
        """Stores a constant that has come, for programs that the tenant will register later.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room, TENANT_FULL if the tenant has as much as it
                may.
        """
        with self._change():
            self._keep_upload(tenant, arrived.digest, self._blobs.keep_arrived(arrived))

    def constant(self, digest: str) -> bytes:
        """The bytes of a constant.

        Raises:
            RequestError: CONSTANT_NOT_FOUND if it is not here.
            StoredDataError: If its blob is damaged.
        """
        if not self._blobs.has(digest):
            raise _constant_not_found(digest)
        return self._blobs.read(digest)

    def discard_upload(self, digest: str, constants: Iterable[str] = (), tenant: str = "") -> None:
        """Forgets an uploaded program that was refused, and its constants, for one who brought them."""
        with self._changing, afterwards("remove a program that was refused"):
            self._needs.release(digest, constants, tenant)
            self._needs.sweep()

    def release(self, digest: str, constants: Iterable[str] = (), tenant: str = "") -> None:
        """Forgets that somebody counts on a program and its constants, which turned out to be registered."""
        with self._changing, afterwards("forget an upload"):
            self._needs.release(digest, constants, tenant)

    def program(self, digest: str, tenant: str | None = None) -> bytes:
        """The serialized program of a digest, uploaded or registered.

        Args:
            digest: The program's digest.
            tenant: Whose it has to be; None is anybody's.

        Raises:
            RequestError: PROGRAM_NOT_FOUND if it is neither.
            StoredDataError: If its blob is damaged.
        """
        blobs = self._blobs_of(digest, tenant)
        if not blobs:
            raise service_error(
                Reason.PROGRAM_NOT_FOUND,
                f"no program with the digest {digest} is here; upload it again, then register it",
                digest=digest,
            )
        *others, last = sorted(blobs)
        try:
            data = self._blobs.read(next(filter(self._blobs.sound, others), last))
        except StoredDataError:
            if blobs <= self._blobs_of(digest, tenant):
                raise
            # Not damaged, but deleted while it was read.
            return self.program(digest, tenant)
        _check_program(data, digest)
        return data

    def having(self, digest: str) -> tuple[Key, ...]:
        """The functions of which a revision is this program."""
        return tuple(
            key
            for key, entry in sorted(self._catalogue.entries.items(), key=itemgetter(0))
            if digest in entry.signatures
        )

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Entry, ...]]:
        """All functions at one moment; what is stored for them stays inside the block.

        Raises:
            StoredDataError: If the catalogue file of a function is damaged.
        """
        with self._changing:
            for key in self._catalogue.damaged:
                self._catalogue.find(key)
            entries = tuple(entry for _, entry in sorted(self._catalogue.entries.items(), key=itemgetter(0)))
            self._needs.hold(blobs_of(entries))
        try:
            yield entries
        finally:
            self._let_go(blobs_of(entries))

    @contextmanager
    def holding(self, blobs: Collection[str]) -> Iterator[None]:
        """Has programs and constants stay inside the block once they are here, though nobody has them."""
        with self._changing:
            self._needs.hold(blobs)
        try:
            yield
        finally:
            self._let_go(blobs)

    def _let_go(self, blobs: Collection[str]) -> None:
        with self._changing, afterwards("remove what nobody needs any more"):
            self._needs.let_go(blobs)

    def blob_size(self, digest: str) -> int:
        """How many bytes a program or constant has."""
        return self._blobs.size(digest)

    def blob(self, digest: str) -> AbstractContextManager[IO[bytes]]:
        """A program or constant, to be read inside the block to its end, where it is found to be whole.

        Raises:
            StoredDataError: If it is missing or damaged.
        """
        return self._blobs.reading(digest)

    def take_blob(self, arrived: Arriving) -> None:
        """Keeps a program or constant for functions that are taken over next; one that is damaged is mended.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room.
        """
        with self._change():
            self._blobs.sound(arrived.digest)
            self._blobs.keep_arrived(arrived)

    def take_over(self, entries: Iterable[Entry]) -> int:
        """Takes over functions whose programs and constants are here; says how many of them it has changed.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room; then some may have been taken over, and to
                do it again takes over the rest.
        """
        changed = 0
        with self._change():
            for entry in entries:
                before = self._catalogue.entries.get(key_of(entry.function))
                after = merged(before, entry)
                if after != before:
                    self._catalogue.put(after)
                    changed += 1
        return changed

    def usage(self) -> Mapping[str, Usage]:
        """What each tenant uses that has something, by its name."""
        counts = Counter(key.tenant for key in (*self._catalogue.entries, *self._catalogue.damaged))
        return {
            tenant: Usage(counts[tenant], self._needs.stored_bytes(tenant))
            for tenant in sorted({*counts, *self._needs.tenants()})
        }

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One change at a time, and a disk that refuses it is told to the caller."""
        with self._changing, telling(self._folder):
            yield

    def _granted(self, key: Key, change: Callable[[frozenset[str]], frozenset[str]]) -> Registered:
        with self._change():
            entry = self._sight.seen(key, None)
            grants = tuple(sorted(change(frozenset(entry.function.grants))))
            if grants != entry.function.grants:
                entry = replace(entry, function=replace(entry.function, grants=grants))
                self._catalogue.put(entry)
        return registered(entry)

    def _blobs_of(self, digest: str, tenant: str | None) -> set[str]:
        """The blobs that have a program: several where several producers made the same."""
        entries = self._catalogue.entries.values() if tenant is None else self._catalogue.of_tenant(tenant)
        blobs = {rev.blob for entry in entries for rev in entry.function.revisions if rev.digest == digest}
        return blobs | self._needs.uploaded(digest, tenant)

    def _keep_upload(self, tenant: str, digest: str, blob: str) -> None:
        self._require_bytes(self._tenant(tenant), {blob})
        self._needs.uploads_of(tenant).put(digest, blob)

    def _require_bytes(self, tenant: Tenant, blobs: set[str]) -> None:
        """Makes sure that a tenant may have blobs that are kept already; those of nobody go again if not."""
        if tenant.max_stored_bytes is None:
            return
        try:
            require_bytes(tenant, self._needs.stored_bytes(tenant.name, blobs))
        except ServiceError:
            self._needs.sweep()
            raise


def _check_program(data: bytes, digest: str) -> None:
    """Makes sure that a sound blob is the program that the catalogue says it is.

    Raises:
        StoredDataError: If it is another one, or none.
    """
    try:
        actual = digest_of(program_from_bytes(data))
    except ProgramError as error:
        actual = f"none, for it cannot be read: {error}"
    if actual != digest:
        raise service_error(
            Reason.STORED_PROGRAM_DAMAGED,
            f"what is stored as the program {digest} has another digest ({actual}); restore the catalogue "
            "from a backup, or register the function again",
            digest=digest,
        )


def _constant_not_found(digest: str) -> ServiceError:
    return service_error(
        Reason.CONSTANT_NOT_FOUND,
        f"no constant with the digest {digest} is here; upload it again, then register the program",
        digest=digest,
    )
