"""The registry: functions by name, programs by digest."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pullback.program.container import Program
from pullback.program.derivatives import DerivativeSupport
from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError
from pullback.program.wire import program_from_bytes, program_to_bytes
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.functions import Function, Registered, Revision
from pullback_server.registry.blobs import Arriving, DirectoryBlobs
from pullback_server.registry.catalogue import Catalogue, Entry
from pullback_server.registry.files import afterwards, locked, remove_temporaries, telling
from pullback_server.registry.names import ResourceName, function_name
from pullback_server.registry.pages import cut
from pullback_server.registry.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Registration:
    """What to register.

    Attributes:
        name: The function's name.
        program: The program; its signature has the result.
        labels: Labels to find the function by.
        description: A text for people.
        derivatives: Which derivatives the program has; without what was not tried.
    """

    name: str
    program: Program
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    derivatives: tuple[DerivativeSupport, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant uses.

    Attributes:
        functions: How many functions it has.
        stored_bytes: The bytes of their programs and constants, each counted once.
    """

    functions: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection has removed.

    Attributes:
        uploads: How many uploads that nobody has registered in time.
        blobs: How many programs and constants.
        nbytes: Their bytes.
    """

    uploads: int
    blobs: int
    nbytes: int


@contextmanager
def open_registry(folder: Path) -> Iterator[Registry]:
    """Opens the registry of a directory and keeps other servers out of it.

    Raises:
        DirectoryInUseError: If another server uses the directory.
        OSError: If the directory cannot be read or written.
    """
    with locked(folder):
        registry = Registry(folder)
        registry.tidy()
        yield registry


class Registry:
    """Keeps functions and programs in a directory. Its methods block, and any thread may call them.

    Args:
        folder: The directory, which no other process uses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs = DirectoryBlobs(folder / "blobs")
        self._catalogue = Catalogue(folder / "functions")
        self._uploads = Uploads(folder / "uploads")
        self._rooms = (folder / "blobs", folder / "functions", folder / "uploads")
        self._changing = threading.Lock()

    def tidy(self) -> None:
        """Removes what a killed server had begun to write, and uploads that nobody registered for a day.

        Raises:
            OSError: If the disk refuses.
        """
        with self._changing:
            for room in self._rooms:
                remove_temporaries(room)
            self._collect()

    def collect(self) -> Collected:
        """Removes uploads that have waited too long, and programs and constants that nothing needs.

        What functions have is needed, and what somebody has brought or was told is here, to register it.

        Raises:
            ExecutionError: INTERNAL if the disk refuses.
        """
        with self._change():
            return self._collect()

    @property
    def generation(self) -> object:
        """Another object after every change of what names mean; compared by identity."""
        return self._catalogue.entries

    def resolve(self, name: ResourceName) -> Registered:
        """The function of a name at the revision of the name.

        Raises:
            RequestError: FUNCTION_NOT_FOUND, REVISION_NOT_FOUND, or MALFORMED_REQUEST if the first digits
                of a digest fit several revisions.
            StoredDataError: If the function's catalogue file is damaged.
        """
        entry = self._catalogue.find(name.function)
        if entry is None:
            raise self._not_found(name.function)
        if name.digest is None:
            return _registered(entry, entry.function.current_revision)
        return _registered(entry, _revision(entry.function, name.digest))

    def current(self, function: str) -> Registered | None:
        """The function at its current revision; None if there is none or the revision's blob is damaged."""
        entry = self._catalogue.find(function)
        if entry is None or not self._blobs.sound(entry.function.current_revision.blob):
            return None
        return _registered(entry, entry.function.current_revision)

    def page(self, after: str, size: int, labels: Mapping[str, str]) -> tuple[Sequence[Registered], str]:
        """Functions in the order of their names.

        Args:
            after: The name after which to begin; empty to begin with the first.
            size: The most functions to give.
            labels: Labels that each must have.

        Returns:
            The functions at their current revisions, and the token of the next page or an empty text.
        """
        entries = self._catalogue.entries
        fitting = [
            _registered(entries[name], entries[name].function.current_revision)
            for name in sorted(entries)
            if name > after and labels.items() <= entries[name].function.labels.items()
        ]
        return cut(fitting, size)

    def register(self, registration: Registration) -> Registered:
        """Stores a program as the current revision of a function, which it makes if need be.

        Raises:
            RequestError: CONSTANT_NOT_FOUND if a constant of the program is missing.
            StoredDataError: If the function's catalogue file is damaged.
            PressureError: STORAGE_FULL if the disk has no room.
        """
        digest = digest_of(registration.program)
        with self._change():
            before = self._catalogue.find(registration.name)
            constants = registration.program.constants
            for constant in self._missing(constants):
                raise _constant_not_found(constant)
            blob = self._blobs.keep(program_to_bytes(registration.program))
            revision = Revision(
                digest,
                blob,
                registration.program.format,
                time.time(),
                constants,
                registration.derivatives,
            )
            entry = _with_revision(before, registration, revision)
            self._catalogue.put(entry)
            with afterwards("forget the uploads of what was registered"):
                self._release(digest, constants)
        return _registered(entry, entry.function.current_revision)

    def delete(self, function: str) -> None:
        """Deletes a function, and the programs that no other function has.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if there is none.
            ExecutionError: INTERNAL if the disk refuses.
        """
        with self._change():
            if not self._catalogue.remove(function):
                raise self._not_found(function)
            with afterwards("remove programs that no function has"):
                self._sweep()

    def upload(self, digest: str, program: bytes) -> None:
        """Stores a program that will be registered later.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room.
        """
        with self._change():
            self._uploads.put(digest, self._blobs.keep(program))

    def missing_constants(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Those of the constants that are not here, each once; the others stay until they are registered."""
        asked = tuple(dict.fromkeys(digests))
        with self._changing:
            missing = self._missing(asked)
            for digest in frozenset(asked).difference(missing):
                self._uploads.claim(digest)
        return missing

    def arrive(self) -> Arriving:
        """Begins to take a constant that comes in parts; whoever calls it drops it in the end."""
        return self._blobs.arrive()

    def upload_constant(self, arrived: Arriving) -> None:
        """Stores a constant that has come, for programs that will be registered later.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room.
        """
        with self._change():
            self._uploads.put(arrived.digest, self._blobs.keep_arrived(arrived))

    def constant(self, digest: str) -> bytes:
        """The bytes of a constant.

        Raises:
            RequestError: CONSTANT_NOT_FOUND if it is not here.
            StoredDataError: If its blob is damaged.
        """
        if not self._blobs.has(digest):
            raise _constant_not_found(digest)
        return self._blobs.read(digest)

    def discard_upload(self, digest: str, constants: Iterable[str] = ()) -> None:
        """Forgets an uploaded program that was refused, and its constants, for one who brought them."""
        with self._changing, afterwards("remove a program that was refused"):
            self._release(digest, constants)
            self._sweep()

    def release(self, digest: str, constants: Iterable[str] = ()) -> None:
        """Forgets that somebody counts on a program and its constants, which turned out to be registered."""
        with self._changing, afterwards("forget an upload"):
            self._release(digest, constants)

    def program(self, digest: str) -> bytes:
        """The serialized program of a digest, uploaded or registered.

        Raises:
            RequestError: PROGRAM_NOT_FOUND if it is neither.
            StoredDataError: If its blob is damaged.
        """
        blobs = {revision.blob for revision in self._catalogue.revisions() if revision.digest == digest}
        uploaded = self._uploads.find(digest)
        if uploaded is not None and self._blobs.has(uploaded):
            blobs.add(uploaded)
        *others, last = sorted(blobs) or [""]
        if not last:
            raise service_error(
                Reason.PROGRAM_NOT_FOUND,
                f"no program with the digest {digest} is here; upload it again, then register it",
                digest=digest,
            )
        data = self._blobs.read(next(filter(self._blobs.sound, others), last))
        _check_program(data, digest)
        return data

    def usage(self) -> Mapping[str, Usage]:
        """What each tenant uses, by its name."""
        blobs = {
            blob for revision in self._catalogue.revisions() for blob in (revision.blob, *revision.constants)
        }
        return {"": Usage(len(self._catalogue.entries), sum(map(self._blobs.size, blobs)))}

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One change at a time, and a disk that refuses it is told to the caller."""
        with self._changing, telling(self._folder):
            yield

    def _missing(self, digests: Iterable[str]) -> tuple[str, ...]:
        return tuple(digest for digest in dict.fromkeys(digests) if not self._blobs.has(digest))

    def _release(self, digest: str, constants: Iterable[str]) -> None:
        for uploaded in (digest, *constants):
            self._uploads.release(uploaded)

    def _collect(self) -> Collected:
        uploads = self._uploads.forget_overdue()
        blobs, nbytes = self._sweep()
        return Collected(uploads, blobs, nbytes)

    def _sweep(self) -> tuple[int, int]:
        """Removes blobs that nothing needs, unless a damaged catalogue file may; says how many, and bytes."""
        if self._catalogue.damaged:
            return 0, 0
        revisions = list(self._catalogue.revisions())
        used = {blob for revision in revisions for blob in (revision.blob, *revision.constants)}
        removed = [
            (blob, self._blobs.size(blob)) for blob in self._blobs.digests() - used - self._uploads.blobs()
        ]
        for blob, _ in removed:
            self._blobs.remove(blob)
        return len(removed), sum(nbytes for _, nbytes in removed)

    def _not_found(self, function: str) -> ServiceError:
        near = difflib.get_close_matches(function, self._catalogue.entries, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "ListFunctions gives the names that there are"
        return service_error(
            Reason.FUNCTION_NOT_FOUND, f"no function has the name {function!r}; {hint}", function=function
        )


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


def _registered(entry: Entry, revision: Revision) -> Registered:
    return Registered(
        entry.function, revision, entry.signatures[revision.digest], entry.producers[revision.digest]
    )


def _revision(function: Function, digest: str) -> Revision:
    fitting = [revision for revision in function.revisions if revision.digest.startswith(digest)]
    match fitting:
        case [revision]:
            return revision
        case []:
            raise service_error(
                Reason.REVISION_NOT_FOUND,
                f"{function_name(function.name)} has no revision {digest!r}; "
                f"its current revision is {function.current}",
                function=function.name,
                revision=digest,
            )
        case _:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"{len(fitting)} revisions of {function_name(function.name)} begin with {digest!r}; "
                "give more digits",
                function=function.name,
                revision=digest,
            )


def _with_revision(before: Entry | None, registration: Registration, revision: Revision) -> Entry:
    program = registration.program
    function = Function(
        registration.name, (revision,), revision.digest, dict(registration.labels), registration.description
    )
    signatures = {revision.digest: program.signature}
    producers = {revision.digest: program.producer}
    if before is None:
        return Entry(function, signatures, producers)
    revisions = _added(before.function.revisions, revision)
    return Entry(
        replace(function, revisions=revisions),
        {**before.signatures, **signatures},
        {**before.producers, **producers},
    )


def _added(revisions: tuple[Revision, ...], new: Revision) -> tuple[Revision, ...]:
    """Revisions with one more; one that was there keeps its place and time, and gets the new bytes."""
    if all(revision.digest != new.digest for revision in revisions):
        return (*revisions, new)
    return tuple(
        replace(revision, blob=new.blob, constants=new.constants)
        if revision.digest == new.digest
        else revision
        for revision in revisions
    )
