"""A data directory that can be filled up: a file system of its own, in memory."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

_SIZE_BYTES: Final = 256 << 20
_PIECE: Final = bytes(1 << 20)


class Disk:
    """A small file system at a folder; mounting it takes root.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"

    def mount(self) -> str:
        """Mounts it; says why it cannot be, or nothing."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_BYTES}", "pullback-chaos", str(self._folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "there is no mount command"
        return "" if done.returncode == 0 else done.stderr.strip()

    def unmount(self) -> None:
        """Unmounts it; what holds it open does so no longer than it lives."""
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)  # noqa: S607 -- the system's own

    def fill(self) -> None:
        """Leaves no byte free."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(_PIECE):
                    pass
            except OSError:  # it is full
                return

    def free(self) -> None:
        """Gives the room back."""
        self._filler.unlink(missing_ok=True)
