"""The catalogue: one JSON file a function, all of it in memory as well.

A file that cannot be read is named in the log and its function refused; the others are served.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
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
from pullback_server.registry.files import remove, write_atomically

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


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in a file."""

    function: Function
    signatures: dict[str, dict[str, Any]]
    producers: dict[str, Producer]


class Catalogue:
    """Keeps entries by name. One thread at a time may change it while any others read.

    Args:
        folder: The directory of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        self._damaged: dict[str, Path] = {}
        for path in sorted(folder.glob("*.json")):
            self._load(path)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by name."""
        return self._entries

    @property
    def damaged(self) -> Mapping[str, Path]:
        """The files that cannot be read, by the name of their function."""
        return self._damaged

    def find(self, name: str) -> Entry | None:
        """The entry of a name.

        Raises:
            StoredDataError: If its file is damaged.
        """
        if name in self._damaged:
            path = self._damaged[name]
            raise service_error(
                Reason.STORED_PROGRAM_DAMAGED,
                f"the catalogue file {path} of the function {name!r} is damaged; restore it from a backup "
                "and restart the server, or delete the function and register it again",
                file=str(path),
            )
        return self._entries.get(name)

    def put(self, entry: Entry) -> None:
        """Keeps an entry under its function's name."""
        name = entry.function.name
        write_atomically(self._path(name), _to_bytes(entry))
        self._entries = {**self._entries, name: entry}

    def remove(self, name: str) -> bool:
        """Removes a name, damaged or not; says whether it was there."""
        known = name in self._entries or name in self._damaged
        if known:
            remove(self._path(name))
            self._entries = {key: entry for key, entry in self._entries.items() if key != name}
            self._damaged.pop(name, None)
        return known

    def revisions(self) -> Iterator[Revision]:
        """All revisions of all functions."""
        for entry in self._entries.values():
            yield from entry.function.revisions

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _load(self, path: Path) -> None:
        name = path.name.removesuffix(".json")
        try:
            entry = _from_bytes(path.read_bytes())
            _check(entry, name)
        except (OSError, ValueError, msgspec.MsgspecError, json_format.ParseError) as error:
            _log.error("the catalogue file %s is damaged, and its function is not served: %s", path, error)
            self._damaged[name] = path
        else:
            self._entries[name] = entry


def _to_bytes(entry: Entry) -> bytes:
    signatures = {
        digest: json_format.MessageToDict(signature_to_wire(signature))
        for digest, signature in entry.signatures.items()
    }
    file = _File(entry.function, signatures, dict(entry.producers))
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def _from_bytes(data: bytes) -> Entry:
    file = msgspec.json.decode(data, type=_File)
    signatures = {digest: _signature(fields) for digest, fields in file.signatures.items()}
    return Entry(file.function, signatures, file.producers)


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
