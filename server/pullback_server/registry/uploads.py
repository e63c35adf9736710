"""Uploaded programs and constants that wait to be registered.

A small file each, with the digest of the blob; and in memory, who still counts on what is here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pullback_server.registry.files import remove, write_atomically
from pullback_server.registry.names import is_digest

UPLOAD_SECONDS: Final = 24 * 3600.0
"""How long an upload waits to be registered."""

CLAIM_SECONDS: Final = 3600.0
"""How long a constant stays that a client was told is here."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What clients count on that have not registered yet.

    Attributes:
        blob: The digest of the bytes.
        count: How many clients.
        until: When they have waited too long, by `time.monotonic`.
    """

    blob: str
    count: int
    until: float


class Uploads:
    """Remembers the blob of each uploaded program and constant, and how many clients count on it.

    Several may have brought the same, or may have been told that it is here; it stays until each of them has
    registered, was refused, or has waited too long. After a restart one is taken to count on each upload.
    Readers may be on other threads: they go through a copy, which is made at once.

    Args:
        folder: The directory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claims: dict[str, _Claim] = {}
        for path in folder.glob("*"):
            self._load(path)

    def put(self, digest: str, blob: str) -> None:
        """Remembers that the program or constant `digest` has the bytes `blob`, for one who brought it.

        Raises:
            OSError: If the disk refuses.
        """
        write_atomically(self._folder / digest, blob.encode())
        self._add(digest, blob, UPLOAD_SECONDS)

    def claim(self, digest: str) -> None:
        """Remembers one who was told that a constant is here; a restart forgets it."""
        self._add(digest, digest, CLAIM_SECONDS)

    def find(self, digest: str) -> str | None:
        """The blob of an upload; None if there was none."""
        claim = self._claims.get(digest)
        return None if claim is None else claim.blob

    def blobs(self) -> frozenset[str]:
        """All blobs that somebody counts on."""
        return frozenset(claim.blob for claim in self._claims.copy().values())

    def programs(self) -> frozenset[str]:
        """The blobs of the programs among them; constants are called by the digest of their bytes."""
        claims = self._claims.copy()
        return frozenset(claim.blob for digest, claim in claims.items() if claim.blob != digest)

    def release(self, digest: str) -> None:
        """Forgets one who counted on a program or constant; with the last one the upload goes.

        Raises:
            OSError: If the disk refuses.
        """
        claim = self._claims.get(digest)
        if claim is not None and claim.count > 1:
            self._claims[digest] = replace(claim, count=claim.count - 1)
        else:
            self._forget(digest)

    def forget_overdue(self) -> int:
        """Forgets what has waited too long, and says how much that was.

        Raises:
            OSError: If the disk refuses.
        """
        now = time.monotonic()
        overdue = [digest for digest, claim in self._claims.items() if claim.until < now]
        for digest in overdue:
            self._forget(digest)
        return len(overdue)

    def _add(self, digest: str, blob: str, seconds: float) -> None:
        before = self._claims.get(digest, _Claim(blob, 0, 0.0))
        until = max(before.until, time.monotonic() + seconds)
        self._claims[digest] = _Claim(blob, before.count + 1, until)

    def _forget(self, digest: str) -> None:
        if (self._folder / digest).exists():
            remove(self._folder / digest)
        self._claims.pop(digest, None)

    def _load(self, path: Path) -> None:
        blob = path.read_text(errors="replace") if is_digest(path.name) else ""
        if is_digest(blob):
            # What lies on the disk knows the time of day only, which may have been set meanwhile.
            age = max(0.0, time.time() - path.stat().st_mtime)
            self._claims[path.name] = _Claim(blob, 1, time.monotonic() + UPLOAD_SECONDS - age)
