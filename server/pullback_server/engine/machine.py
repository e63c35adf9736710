"""What this process may use of the machine: on Linux within the limits of its container, else all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to compute with.

    Attributes:
        cores: Processors, at least 1.
        memory_bytes: Memory.
    """

    cores: int
    memory_bytes: int


def this_machine(group: Path = _GROUP) -> Machine:
    """The processors and the memory that this process may use.

    Args:
        group: The folder of its control group, version 2, whose limits are those of its container.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # cpu.max says "microseconds of processor time, in each period of so many", memory.max bytes; or "max".
    quota = _numbers(group / "cpu.max")
    if len(quota) == 2:  # noqa: PLR2004 -- the quota and its period
        cores = min(cores, max(1, round(quota[0] / quota[1])))
    return Machine(cores, min(memory, *_numbers(group / "memory.max"), memory))


def _numbers(file: Path) -> list[int]:
    """The numbers in a file of limits; none where it is missing or says that there is no limit."""
    try:
        words = file.read_text().split()
    except OSError:
        return []
    return [int(word) for word in words] if all(map(str.isdecimal, words)) else []
