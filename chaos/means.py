"""What some faults take from the machine, or a word why they are left out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from chaos.clock import Clock, faketime
from chaos.disk import Disk


@dataclass
class Means:
    """What is there.

    Attributes:
        disk: The disk, where it can be filled.
        clock: The clock, where it can be set.
        variables: What the server's environment needs for it.
        left_out: The faults that cannot be, and why.
    """

    disk: Disk | None = None
    clock: Clock | None = None
    variables: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def get_disk(self, folder: Path, stack: ExitStack) -> None:
        """Makes a folder a file system of its own, until the stack ends."""
        disk = Disk(folder)
        if why := disk.mount():
            self.left_out["disk-full"] = f"no file system can be mounted, which takes root ({why})"
            return
        stack.callback(disk.unmount)
        self.disk = disk

    def get_clock(self, file: Path) -> None:
        """Has a file say the time."""
        library = faketime()
        if library is None:
            self.left_out["clock-step"] = "there is no libfaketime that works (pip install libfaketime)"
            return
        self.clock = Clock(file)
        self.variables = self.clock.variables(library)
