"""Files that are there whole or not at all, and the lock of a directory."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry import operations

_log = logging.getLogger(__name__)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DirectoryInUseError(Exception):
    """Another server uses the directory."""


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that after a crash at any moment it has its old content or the new one.

    Raises:
        OSError: If the disk refuses. The file may have the new content all the same, if that came only when
            its name was to be made durable.
    """
    make_folder(path.parent)
    incoming = Incoming(path.parent)
    try:
        incoming.write(data)
        incoming.keep(path)
    finally:
        incoming.drop()


class Incoming:
    """A file that comes in parts and gets its name once it is whole.

    Args:
        folder: The directory that it will stand in or below.

    Raises:
        OSError: If the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._descriptor, self._path = operations.create(folder)
        self._open = True
        self._named = False

    def write(self, data: bytes) -> None:
        """Writes the next part.

        Raises:
            OSError: If the disk refuses.
        """
        left = memoryview(data)
        while left:
            left = left[operations.write(self._descriptor, left) :]

    def keep(self, path: Path) -> None:
        """Gives the file its name.

        Raises:
            OSError: If the disk refuses.
        """
        make_folder(path.parent)
        operations.sync(self._descriptor)
        self._close()
        operations.rename(self._path, path)
        self._named = True
        operations.sync_folder(path.parent)

    def drop(self) -> None:
        """Removes the file, unless it was kept; one that the disk does not let go waits for a later start."""
        self._close()
        if not self._named:
            with contextlib.suppress(OSError):
                operations.unlink(self._path)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._descriptor)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, so that they survive a loss of power."""
    if not folder.is_dir():
        make_folder(folder.parent)
        operations.make_folder(folder)
        operations.sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Removes a file, if it is there, for good."""
    operations.unlink(path)
    operations.sync_folder(path.parent)


def move(path: Path, to: Path) -> None:
    """Gives a file that is there another name and folder: after a crash it has the one or the other.

    Raises:
        OSError: If the disk refuses. The file may have its new name all the same.
    """
    make_folder(to.parent)
    operations.rename(path, to)
    # In this order, so that it is not lost where the two are not one step for the file system's journal.
    operations.sync_folder(to.parent)
    operations.sync_folder(path.parent)


def remove_temporaries(folder: Path, rooms: Iterable[str]) -> None:
    """Removes what a killed server had begun to write in a folder, and in and below its rooms."""
    pattern = f"{operations.TEMPORARY}*"
    below = ((folder / room).rglob(pattern) for room in rooms)
    for path in chain(folder.glob(pattern), *below):
        operations.unlink(path)


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Has a disk that refuses inside the block be told as an error that a caller understands.

    Raises:
        PressureError: STORAGE_FULL if there is no room.
        ExecutionError: INTERNAL if the disk refuses for another reason.
    """
    try:
        yield
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(folder: Path, error: OSError) -> ServiceError:
    if error.errno not in _NO_ROOM:
        _log.error("the disk refused a change of %s: %s", folder, error)
        return service_error(
            Reason.INTERNAL,
            f"the server's disk refused the change ({error.strerror}), of which all, a part or nothing "
            "may have been made; the server's administrator finds more in its log",
        )
    free = free_bytes(folder)
    _log.error("there is no room for a change of %s, where %d bytes are free: %s", folder, free, error)
    return service_error(
        Reason.STORAGE_FULL,
        f"the server has no room to store this: {free} bytes are free on its disk ({error.strerror}); delete "
        "functions that are not needed, or have its administrator make room. What is stored is still served",
        free_bytes=str(free),
    )


def free_bytes(folder: Path) -> int:
    """The bytes that are free on the disk of a folder."""
    return shutil.disk_usage(folder).free


@contextmanager
def afterwards(what: str) -> Iterator[None]:
    """Has a disk that refuses inside the block be logged only: what counts has been done before.

    Args:
        what: What the block does, for the log.
    """
    try:
        yield
    except OSError as error:
        _log.warning("could not %s, which is left for later: %s", what, error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a directory; the operating system lets go of it when the process dies.

    Raises:
        DirectoryInUseError: If another process holds it.
    """
    make_folder(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise DirectoryInUseError(
            f"the data directory {folder} is in use by the server with process id "
            f"{holder or 'unknown'}; stop that one, or choose another --data-dir"
        ) from error
    # On a full disk the lock holds as well, and only the message of another server is poorer.
    with afterwards(f"write this process's id to {folder / 'lock'}"):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
