"""Content-addressed bytes in a directory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry import operations
from pullback_server.registry.files import Incoming, remove, telling, write_atomically


class Arriving:
    """Bytes that come in parts, to be kept once they are whole.

    Args:
        folder: A directory of the same file system.

    Raises:
        PressureError: STORAGE_FULL if the disk has no room.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with telling(folder.parent):
            self._incoming = Incoming(folder)
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            PressureError: STORAGE_FULL if the disk has no room.
            ExecutionError: INTERNAL if it refuses for another reason.
        """
        with telling(self._folder):
            self._incoming.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def digest(self) -> str:
        """The digest of what has come."""
        return self._hash.hexdigest()

    def keep(self, path: Path) -> None:
        """Makes a file of what has come.

        Raises:
            OSError: If the disk refuses.
        """
        self._incoming.keep(path)

    def drop(self) -> None:
        """Forgets what has come, unless it was kept."""
        self._incoming.drop()


class Checked(FileIO):
    """A file that knows the digest of what was read of it.

    Args:
        path: The file.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._hash = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        data = super().read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        """The digest of what was read."""
        return self._hash.hexdigest()


class DirectoryBlobs:
    """Keeps bytes under the SHA-256 of their content, and checks it whenever they are read.

    Args:
        folder: The directory; made when something is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._damaged: set[str] = set()

    def path(self, digest: str) -> Path:
        """Where the bytes of a digest are."""
        return self._folder / "sha256" / digest[:2] / digest

    def keep(self, data: bytes) -> str:
        """Keeps bytes and gives their digest; what is there already and sound is left alone.

        Raises:
            OSError: If the disk refuses.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self.sound(digest):
            # It may have got its name just before the disk refused to keep that.
            operations.sync_folder(self.path(digest).parent)
        else:
            write_atomically(self.path(digest), data)
            self._damaged.discard(digest)
        return digest

    def arrive(self) -> Arriving:
        """Begins to take bytes that come in parts."""
        return Arriving(self._folder)

    def keep_arrived(self, arrived: Arriving) -> str:
        """Keeps bytes that came in parts, and gives their digest.

        Raises:
            OSError: If the disk refuses.
        """
        digest = arrived.digest
        if self.has(digest):
            operations.sync_folder(self.path(digest).parent)
        else:
            arrived.keep(self.path(digest))
            self._damaged.discard(digest)
        return digest

    def has(self, digest: str) -> bool:
        """Whether there are bytes of a digest that were not found to be damaged.

        Whether they are sound shows when they are read; those that were not then can be kept again.
        """
        return digest not in self._damaged and self.path(digest).exists()

    def size(self, digest: str) -> int:
        """How many bytes there are of a digest; 0 if there are none."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, digest: str) -> bytes:
        """The bytes of a digest.

        Raises:
            StoredDataError: If they are missing or are not what was kept.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _damaged(path, digest, f"cannot be read ({error.strerror})") from error
        actual = hashlib.sha256(data).hexdigest()
        if actual != digest:
            self._damaged.add(digest)
            raise _damaged(path, digest, f"is damaged: its {len(data)} bytes have the digest {actual}")
        return data

    @contextmanager
    def reading(self, digest: str) -> Iterator[IO[bytes]]:
        """The bytes of a digest as a file, to be read inside the block to their end and checked there.

        Raises:
            StoredDataError: If they are missing or are not what was kept.
        """
        path = self.path(digest)
        try:
            file = Checked(path)
        except OSError as error:
            raise _damaged(path, digest, f"cannot be read ({error.strerror})") from error
        with file:
            yield file
            if file.digest != digest:
                self._damaged.add(digest)
                raise _damaged(path, digest, f"is damaged: its bytes have the digest {file.digest}")

    def sound(self, digest: str) -> bool:
        """Whether the bytes of a digest are there and are what was kept."""
        try:
            self.read(digest)
        except ServiceError:
            return False
        return True

    def digests(self) -> frozenset[str]:
        """The digests of all that is kept."""
        return frozenset(path.name for path in (self._folder / "sha256").glob("??/*"))

    def remove(self, digest: str) -> None:
        """Removes the bytes of a digest, if they are there."""
        if self.path(digest).exists():
            remove(self.path(digest))


def _damaged(path: Path, digest: str, what: str) -> ServiceError:
    return service_error(
        Reason.STORED_PROGRAM_DAMAGED,
        f"the stored program {path} with the digest {digest} {what}; "
        "restore the file from a backup, or register the function again",
        file=str(path),
        digest=digest,
    )
