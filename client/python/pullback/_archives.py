"""Archives of registries as files, for both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def import_requests(path: Path) -> Iterator[Callable[[], Iterator[pb.ImportRegistryRequest]]]:
    """What makes the messages that send an archive, for each try anew.

    It opens the file at once: within gRPC, which iterates over the messages, an OSError would be lost. Each
    try has a file of its own, because gRPC may still read for the one before. The block's end closes them.

    Raises:
        OSError: If it cannot be read.
    """
    with ExitStack() as opened:
        yield lambda: _requests(opened.enter_context(path.open("rb")))


def _requests(file: IO[bytes]) -> Iterator[pb.ImportRegistryRequest]:
    while chunk := file.read(_CHUNK):
        yield pb.ImportRegistryRequest(chunk=chunk)
