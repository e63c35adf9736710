"""The catalogue: one JSON file a function, all of it in memory as well.

Functions of the tenant with the empty name lie in `functions/`, those of others in
`tenants/TENANT/functions/`.

A file that cannot be read is named in the log and its function refused; the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import json_format

from pullback.program.container import Producer
from pullback.program.errors import ProgramError
from pullback.program.signature import Signature
from pullback.program.wire import signature_from_wire, signature_to_wire
from pullback.v1 import program_pb2
from pullback_server.errors import Reason, service_error
from pullback_server.model.functions import Function, Revision
from pullback_server.registry.files import move, remove, write_atomically
from pullback_server.registry.homes import home, tenants_in
from pullback_server.registry.names import Key, key_of

_log = logging.getLogger(__name__)

_NESTING = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, with what the program of each of its revisions says of itself.

    Attributes:
        function: The function.
        signatures: By the digest of the revision.
        producers: By the digest of the revision.
    """

    function: Function
    signatures: Mapping[str, Signature]
    producers: Mapping[str, Producer]


class _Function(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function without its tenant, which the place of the file says."""

    name: str
    revisions: tuple[Revision, ...]
    current: str
    labels: dict[str, str]
    description: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stands in a file."""

    function: _Function
    signatures: dict[str, dict[str, Any]]
    producers: dict[str, Producer]
    grants: tuple[str, ...] = ()


class Catalogue:
    """Keeps entries by key. One thread at a time may change it while any others read.

    Args:
        folder: The directory of the registry.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[Key, Entry] = {}
        self._damaged: dict[Key, Path] = {}
        for tenant in tenants_in(folder):
            for path in sorted((home(folder, tenant) / "functions").glob("*.json")):
                self._load(Key(tenant, path.name.removesuffix(".json")), path, self._entries)

    @property
    def entries(self) -> Mapping[Key, Entry]:
        """All entries by key."""
        return self._entries

    @property
    def damaged(self) -> Mapping[Key, Path]:
        """The files that cannot be read, by the key of their function."""
        return self._damaged

    def find(self, key: Key) -> Entry | None:
        """The entry of a key.

        Raises:
            StoredDataError: If its file is damaged.
        """
        if key in self._damaged:
            path = self._damaged[key]
            raise service_error(
                Reason.STORED_PROGRAM_DAMAGED,
                f"the catalogue file {path} of the function {key.function!r} is damaged; restore it from a "
                "backup and restart the server, or delete the function and register it again",
                file=str(path),
            )
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Keeps an entry under its function's key.

        Raises:
            OSError: If the disk refuses; then what it has all the same is what there is.
        """
        key = key_of(entry.function)
        with self._as_the_disk_has_it(key):
            write_atomically(self._path(key), entry_bytes(entry))
        self._damaged = {other: path for other, path in self._damaged.items() if other != key}
        self._entries = {**self._entries, key: entry}

    def remove(self, key: Key) -> bool:
        """Removes a function, damaged or not; says whether it was there.

        Raises:
            OSError: If the disk refuses; then what it has all the same is what there is.
        """
        known = key in self._entries or key in self._damaged
        if known:
            with self._as_the_disk_has_it(key):
                remove(self._path(key))
            self._forget(key)
        return known

    def move(self, key: Key, tenant: str) -> None:
        """Gives a function to another tenant, who has none of its name; whatever happens, one of them has it.

        Raises:
            OSError: If the disk refuses; then what it has all the same is what there is.
        """
        to = Key(tenant, key.function)
        try:
            move(self._path(key), self._path(to))
        finally:
            self._read_again(key, to)

    def revisions(self) -> Iterator[Revision]:
        """All revisions of all functions."""
        for entry in self._entries.values():
            yield from entry.function.revisions

    def of_tenant(self, tenant: str) -> Iterator[Entry]:
        """The entries of a tenant."""
        return (entry for key, entry in self._entries.items() if key.tenant == tenant)

    @contextmanager
    def _as_the_disk_has_it(self, key: Key) -> Iterator[None]:
        """Reads a key's file again if the disk refuses inside the block, for which it may have changed."""
        try:
            yield
        except OSError:
            self._read_again(key)
            raise

    def _read_again(self, *keys: Key) -> None:
        """Has the entries of keys be what their files are; readers see all of them change at once."""
        entries = {other: entry for other, entry in self._entries.items() if other not in keys}
        self._damaged = {other: path for other, path in self._damaged.items() if other not in keys}
        for key in keys:
            if self._path(key).exists():
                self._load(key, self._path(key), entries)
        self._entries = entries

    def _forget(self, key: Key) -> None:
        self._entries = {other: entry for other, entry in self._entries.items() if other != key}
        self._damaged = {other: path for other, path in self._damaged.items() if other != key}

    def _path(self, key: Key) -> Path:
        return home(self._folder, key.tenant) / "functions" / f"{key.function}.json"

    def _load(self, key: Key, path: Path, entries: dict[Key, Entry]) -> None:
        try:
            entry = entry_of(path.read_bytes(), key)
        except (OSError, ValueError) as error:
            _log.error("the catalogue file %s is damaged, and its function is not served: %s", path, error)
            self._damaged[key] = path
        else:
            entries[key] = entry


def entry_bytes(entry: Entry) -> bytes:
    """What stands in the file of an entry; its tenant does not."""
    signatures = {
        digest: json_format.MessageToDict(signature_to_wire(signature))
        for digest, signature in entry.signatures.items()
    }
    function = entry.function
    stored = _Function(
        function.name, function.revisions, function.current, dict(function.labels), function.description
    )
    file = _File(stored, signatures, dict(entry.producers), function.grants)
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def entry_of(data: bytes, key: Key) -> Entry:
    """The entry that stands in the file of a key.

    Raises:
        ValueError: If it cannot be read, or is that of another function.
    """
    try:
        entry = _from_bytes(data, key.tenant)
    except (msgspec.MsgspecError, json_format.ParseError) as error:
        raise ValueError(str(error)) from error
    _check(entry, key.function)
    return entry


def _from_bytes(data: bytes, tenant: str) -> Entry:
    file = msgspec.json.decode(data, type=_File)
    signatures = {digest: _signature(fields) for digest, fields in file.signatures.items()}
    stored = file.function
    # The file of a function that was adopted may still grant it to the tenant whose it is now.
    grants = tuple(name for name in file.grants if name != tenant)
    function = Function(
        stored.name, stored.revisions, stored.current, stored.labels, stored.description, tenant, grants
    )
    return Entry(function, signatures, file.producers)


def _signature(fields: dict[str, Any]) -> Signature:
    message = program_pb2.Signature()
    json_format.ParseDict(fields, message, max_recursion_depth=_NESTING)
    return signature_from_wire(message)


def _check(entry: Entry, name: str) -> None:
    digests = {revision.digest for revision in entry.function.revisions}
    if entry.function.name != name:
        raise ProgramError(f"it is about the function {entry.function.name!r}")
    if entry.function.current not in digests:
        raise ProgramError(f"its current revision {entry.function.current} is not among its revisions")
    if not digests == set(entry.signatures) == set(entry.producers):
        raise ProgramError("a revision lacks its signature or its producer")
