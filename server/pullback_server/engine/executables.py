"""Keeps JAX's folder of compiled executables small and sound.

JAX writes an executable once and never again, so that one which a full disk or a killed worker cut off would
be compiled anew at each start; and it keeps all, so that a client whose programs are all new would fill the
disk. Its own bound needs a lock that all workers wait for at each executable, and fails for good at the first
entry that was cut off; so the front looks after the folder, beside the workers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

# How JAX names what it keeps: the module, the key, and its own suffix. Nothing else in a folder is touched.
_ENTRY: Final = re.compile(r".*[0-9a-f]{64}-cache")
_TIDY_SECONDS: Final = 60.0
# A younger one may still be written.
_YOUNG_SECONDS: Final = 60.0
_CHUNK_BYTES: Final = 1 << 18
# How an entry begins where zstandard is installed, which JAX then uses in place of zlib.
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Executable:
    """An executable on disk.

    Attributes:
        path: Its file.
        nbytes: How large that is.
        written: When it was written, in seconds since 1970.
        used: When it was last written or read, as far as the file system notes that.
    """

    path: Path
    nbytes: int
    written: float
    used: float


class Executables:
    """Looks after a folder of executables. Its method blocks.

    Args:
        folder: Where JAX keeps them; it may be missing. Processes of one user may share it.
        most_bytes: How many bytes they may have together.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._changed = -1
        self._checked = -1.0

    def tidy(self, now: float) -> None:
        """Removes what was not written to its end, then the least recently used until the rest is small.

        Args:
            now: The time, in seconds since 1970.

        Raises:
            OSError: If the folder cannot be read, or a file not removed.
        """
        changed = self._folder.stat().st_mtime_ns if self._folder.is_dir() else -1
        old = now - _YOUNG_SECONDS
        # Nothing came or went, and what had come last was looked at since.
        if changed == self._changed and self._checked > changed / 1e9 + _YOUNG_SECONDS:
            return
        entries = [self._sound(entry, old) for entry in _entries(self._folder)]
        self._changed, self._checked = changed, old
        self._shrink([entry for entry in entries if entry is not None])

    def _sound(self, entry: Executable, old: float) -> Executable | None:
        """The entry; None if it was cut off, and is removed."""
        if not self._checked < entry.written <= old or _whole(entry.path):
            return entry
        _log.warning("the executable %s was cut off when it was written; it is removed", entry.path)
        entry.path.unlink(missing_ok=True)
        return None

    def _shrink(self, entries: list[Executable]) -> None:
        nbytes = sum(entry.nbytes for entry in entries)
        for entry in sorted(entries, key=lambda entry: entry.used):
            if nbytes <= self._most_bytes:
                return
            entry.path.unlink(missing_ok=True)
            nbytes -= entry.nbytes


async def keep_tidy(executables: Executables) -> None:
    """Has a folder looked after until cancelled; what the disk refuses is told and tried again."""
    while True:
        try:
            await asyncio.to_thread(executables.tidy, time.time())
        except OSError as error:
            _log.warning("the compiled executables could not be tidied: %s", error)
        await asyncio.sleep(_TIDY_SECONDS)


def _entries(folder: Path) -> Iterator[Executable]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as files:
        for file in files:
            if _ENTRY.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                status = file.stat(follow_symlinks=False)
                used = max(status.st_atime, status.st_mtime)
                yield Executable(Path(file.path), status.st_size, status.st_mtime, used)


def _whole(path: Path) -> bool:
    """Whether a file is there to its end, as far as its format tells; one that has gone has no fault."""
    try:
        with path.open("rb") as file:
            chunk = file.read(_CHUNK_BYTES)
            if chunk.startswith(_ZSTANDARD):
                return True
            stream = zlib.decompressobj()
            while chunk and not stream.eof:
                stream.decompress(chunk, _CHUNK_BYTES)
                chunk = stream.unconsumed_tail or file.read(_CHUNK_BYTES)
            return stream.eof
    except FileNotFoundError:
        return True
    except zlib.error:
        return False
