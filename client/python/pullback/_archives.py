"""Archives of registries as files, for both clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pullback.v1 import administration_pb2 as pb

A_DAY: Final = 24 * 3600.0
"""How long an archive may take to travel, where nothing else is said, in seconds."""

_CHUNK: Final = 1 << 20


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name at the end of the block, and is removed if the block fails.

    Raises:
        OSError: If it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def import_requests(path: Path) -> Iterator[pb.ImportRegistryRequest]:
    """The messages that send an archive.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield pb.ImportRegistryRequest(chunk=chunk)
