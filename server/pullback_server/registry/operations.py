"""The system calls that change the directory: whatever the registry writes or removes goes through here.

Each is one function, called by the name of this module, so that tests can have any one of them fail, or the
process end there. Only how to write a file that survives such an end is known elsewhere, in `files`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp-"
"""How the names of files begin that are not whole yet."""


def create(folder: Path) -> tuple[int, Path]:
    """Makes a new file with a temporary name, and gives its descriptor and its path."""
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    return descriptor, Path(name)


def write(descriptor: int, data: memoryview) -> int:
    """Writes bytes, and says how many of them."""
    return os.write(descriptor, data)


def sync(descriptor: int) -> None:
    """Has what was written to a file survive a loss of power."""
    os.fsync(descriptor)


def rename(path: Path, to: Path) -> None:
    """Gives a file another name, in the place of what has it."""
    path.replace(to)


def unlink(path: Path) -> None:
    """Removes a file, if it is there."""
    path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Makes a folder for its owner only, if it is not there; those above it are."""
    folder.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Has the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
