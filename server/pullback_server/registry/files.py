"""Files that are there whole or not at all, and the lock of a directory."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DirectoryInUseError(Exception):
    """Another server uses the directory."""


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that after a crash at any moment it has its old content or the new one.

    Raises:
        OSError: If the disk refuses.
    """
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


class Incoming:
    """A file that comes in parts and gets its name once it is whole.

    Args:
        folder: The directory that it will stand in or below.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=folder)
        self._file = os.fdopen(descriptor, "wb")
        self._path = Path(name)

    def write(self, data: bytes) -> None:
        """Writes the next part.

        Raises:
            OSError: If the disk refuses.
        """
        self._file.write(data)

    def keep(self, path: Path) -> None:
        """Gives the file its name.

        Raises:
            OSError: If the disk refuses.
        """
        make_folder(path.parent)
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        self._path.replace(path)
        sync_folder(path.parent)

    def drop(self) -> None:
        """Removes the file, unless it was kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, so that they survive a loss of power."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Removes a file, if it is there, for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> None:
    """Removes what a killed server had begun to write."""
    for path in folder.rglob(".tmp-*"):
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a directory; the operating system lets go of it when the process dies.

    Raises:
        DirectoryInUseError: If another process holds it.
    """
    make_folder(folder)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise DirectoryInUseError(
                f"the data directory {folder} is in use by the server with process id "
                f"{file.read().strip() or 'unknown'}; stop that one, or choose another --data-dir"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
