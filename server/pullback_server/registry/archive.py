"""A registry as one archive: a tar file of functions and of the bytes that they refer to.

    manifest.json                            what is in it, with sizes and digests; the first member
    functions/NAME.json                      as in the catalogue, and in the manifest's order
    tenants/TENANT/functions/NAME.json
    blobs/DIGEST                             programs and constants, each once, in the manifest's order

It is written and read as a stream, and every digest is verified on either way. Nothing is ever extracted by a
name that stands in an archive: names are only compared with those that must come next, and where bytes belong
their digest says. Functions are taken over once everything has come and was found to be whole, so that what
is damaged changes no function.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final, Literal, Protocol

import msgspec

from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError
from pullback.program.wire import program_from_bytes
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.catalogue import Entry, entry_bytes, entry_of
from pullback_server.registry.entries import blobs_of
from pullback_server.registry.names import Key, is_digest, key_of, parse_function_name
from pullback_server.registry.registry import Registry

_MANIFEST: Final = "manifest.json"
_LARGEST_JSON: Final = 256 << 20
_CHUNK: Final = 1 << 20


class Sink(Protocol):
    """Where an archive goes."""

    def write(self, data: bytes, /) -> object:
        """Takes the next bytes."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive has.

    Attributes:
        functions: How many functions.
        blobs: How many programs and constants.
        nbytes: Their bytes.
        changed: How many functions an import has made or changed; 0 after an export.
    """

    functions: int
    blobs: int
    nbytes: int
    changed: int = 0


class _FunctionMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function of the archive."""

    tenant: str
    name: str
    size: int
    sha256: str

    @property
    def key(self) -> Key:
        return Key(self.tenant, self.name)

    @property
    def member(self) -> str:
        home = f"tenants/{self.tenant}/" if self.tenant else ""
        return f"{home}functions/{self.name}.json"


class _BlobMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program or constant of the archive."""

    digest: str
    size: int

    @property
    def member(self) -> str:
        return f"blobs/{self.digest}"


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the archive."""

    format: Literal["pullback-registry"]
    version: Literal[1]
    functions: tuple[_FunctionMember, ...]
    blobs: tuple[_BlobMember, ...]


def export_registry(registry: Registry, sink: Sink) -> Archived:
    """Writes all functions of a registry as they are at one moment, with what they refer to.

    Raises:
        StoredDataError: If something that is stored is damaged.
        OSError: If the sink refuses.
    """
    with registry.snapshot() as entries:
        files = [(key_of(entry.function), entry_bytes(entry)) for entry in entries]
        functions = tuple(
            _FunctionMember(key.tenant, key.function, len(data), hashlib.sha256(data).hexdigest())
            for key, data in files
        )
        blobs = tuple(_BlobMember(each, registry.blob_size(each)) for each in sorted(blobs_of(entries)))
        manifest = _Manifest("pullback-registry", 1, functions, blobs)
        with tarfile.open(fileobj=_writable(sink), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, _MANIFEST, msgspec.json.encode(manifest))
            for function, (_, data) in zip(functions, files, strict=True):
                _add(tar, function.member, data)
            for blob in blobs:
                with registry.blob(blob.digest) as file:
                    tar.addfile(_member(blob.member, blob.size), file)
    return _archived(manifest)


def import_registry(registry: Registry, source: IO[bytes]) -> Archived:
    """Takes over what an archive has; a second time it changes nothing.

    A function that is there already keeps its revisions and gets those of the archive; what is current, and
    its labels, description and grants are as the archive has them.

    Raises:
        RequestError: MALFORMED_REQUEST if it is no whole archive; then no function has changed.
        PressureError: STORAGE_FULL if the disk has no room; then each function is as it was, or as the
            archive has it, and a second time changes the rest.
    """
    with _readable(), tarfile.open(fileobj=source, mode="r|") as tar:
        members = iter(tar)
        manifest = _read_manifest(tar, members)
        with registry.holding({blob.digest for blob in manifest.blobs}):
            entries = [_read_function(tar, members, function) for function in manifest.functions]
            _check_blobs(manifest, entries)
            for blob in manifest.blobs:
                _take_blob(registry, tar, members, blob)
            if next(members, None) is not None:
                raise _refused("has more in it than its manifest says")
            _check_programs(registry, entries)
            return _archived(manifest, registry.take_over(entries))


def _archived(manifest: _Manifest, changed: int = 0) -> Archived:
    nbytes = sum(blob.size for blob in manifest.blobs)
    return Archived(len(manifest.functions), len(manifest.blobs), nbytes, changed)


def _writable(sink: Sink) -> Any:
    # tarfile only ever calls `write` of a stream.
    return sink


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_member(name, len(data)), io.BytesIO(data))


@contextmanager
def _readable() -> Iterator[None]:
    """Has what cannot be read as an archive be told as one sentence."""
    try:
        yield
    except (tarfile.TarError, EOFError, UnicodeError, RecursionError) as error:
        raise _refused(f"cannot be read: {error}") from error


def _next(
    tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], name: str, size: int | None = None
) -> IO[bytes]:
    """The content of the member that must come now."""
    member = next(members, None)
    if member is None:
        raise _refused(f"ends where {name} should come")
    # Of a sparse file a few bytes say that it is as large as can be.
    file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if member.name != name or file is None:
        raise _refused(f"has {member.name[:300]!r} where {name} should come")
    if (size is not None and member.size != size) or (size is None and member.size > _LARGEST_JSON):
        raise _refused(f"has {member.size} bytes as {name}, which its manifest does not say")
    return file


def _read_manifest(tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo]) -> _Manifest:
    data = _next(tar, members, _MANIFEST).read()
    try:
        manifest = msgspec.json.decode(data, type=_Manifest)
    except msgspec.MsgspecError as error:
        raise _refused(f"has a manifest that this version does not understand: {error}") from error
    digests = [blob.digest for blob in manifest.blobs]
    if not all(map(is_digest, digests)) or len(set(digests)) < len(digests):
        raise _refused("has a manifest in which digests are wrong")
    for function in manifest.functions:
        # What makes a name makes no path that leads elsewhere.
        if parse_function_name(function.member.removesuffix(".json")) != function.key:
            raise _refused(f"has a function with the name {function.member[:300]!r}")
    return manifest


def _read_function(
    tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], function: _FunctionMember
) -> Entry:
    data = _next(tar, members, function.member, min(function.size, _LARGEST_JSON)).read()
    if hashlib.sha256(data).hexdigest() != function.sha256:
        raise _refused(f"is damaged: {function.member} does not have the digest that its manifest says")
    try:
        return entry_of(data, function.key)
    except ValueError as error:
        raise _refused(f"has the function {function.member}, which cannot be: {error}") from error


def _check_blobs(manifest: _Manifest, entries: list[Entry]) -> None:
    missing = blobs_of(entries).difference(blob.digest for blob in manifest.blobs)
    if missing:
        raise _refused(f"lacks the program or constant {min(missing)}")


def _check_programs(registry: Registry, entries: list[Entry]) -> None:
    """Makes sure that revisions are the programs that they are called by: others may have the same ones."""
    for entry in entries:
        for revision in entry.function.revisions:
            with registry.blob(revision.blob) as file:
                data = file.read()
            try:
                program = program_from_bytes(data)
            except ProgramError as error:
                raise _refused(f"has {revision.blob} as a program, which cannot be read: {error}") from error
            if (digest_of(program), program.constants) != (revision.digest, revision.constants):
                raise _refused(
                    f"has {revision.blob} as the program {revision.digest[:64]!r}, which it is not"
                )


def _take_blob(
    registry: Registry, tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], blob: _BlobMember
) -> None:
    file = _next(tar, members, blob.member, blob.size)
    arriving = registry.arrive()
    try:
        while chunk := file.read(_CHUNK):
            arriving.add(chunk)
        if (arriving.size, arriving.digest) != (blob.size, blob.digest):
            raise _refused(f"is damaged: {blob.member} does not have the digest that its name says")
        registry.take_blob(arriving)
    finally:
        arriving.drop()


def _refused(what: str) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"the archive {what}; no function was changed. Take one that `pullback registry export` has written",
    )
