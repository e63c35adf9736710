"""Uploaded programs and constants that wait to be registered.

A small file each, with the digest of the blob.
"""

from __future__ import annotations

import time
from pathlib import Path

from pullback_server.registry.files import remove, write_atomically


class Uploads:
    """Remembers the blob of each uploaded program and constant.

    Args:
        folder: The directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, digest: str, blob: str) -> None:
        """Remembers that the program or constant `digest` has the bytes `blob`."""
        write_atomically(self._folder / digest, blob.encode())

    def find(self, digest: str) -> str | None:
        """The blob of an upload; None if there was none."""
        path = self._folder / digest
        return path.read_text() if path.exists() else None

    def blobs(self) -> frozenset[str]:
        """All blobs of uploads."""
        return frozenset(path.read_text() for path in self._folder.glob("*"))

    def forget(self, digest: str) -> None:
        """Forgets an upload, if it is there."""
        if (self._folder / digest).exists():
            remove(self._folder / digest)

    def forget_older_than(self, seconds: float) -> None:
        """Forgets what was uploaded longer ago."""
        for path in self._folder.glob("*"):
            if path.stat().st_mtime < time.time() - seconds:
                remove(path)
