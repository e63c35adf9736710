"""What the system says of a process: its memory, and whether it is stopped. On Linux; elsewhere nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_GROUP_EVENTS: Final = Path("/sys/fs/cgroup/memory.events")
_EVENTS: Final = Path("/proc/vmstat")


def own_memory(process: int) -> int:
    """The bytes of memory that a process has for itself, without what it shares with others; 0 if unknown."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES


def is_stopped(process: int) -> bool:
    """Whether somebody has stopped a process, as SIGSTOP does."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[:1] in (["T"], ["t"])


def starvations() -> int:
    """How many processes the system has killed for want of memory, as far as it tells."""
    for file in (_GROUP_EVENTS, _EVENTS):
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
