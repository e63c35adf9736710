"""CPU seconds of processes with all that they started: the steady figure on a machine that others use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Iterable[int]) -> float:
    """What the processes and their descendants have used so far, in user and in system mode."""
    return sum(_own_seconds(process) for root in roots for process in _tree(root))


def _tree(root: int) -> Iterator[int]:
    yield root
    for thread in _listed(Path(f"/proc/{root}/task")):
        with suppress(OSError):
            for child in (thread / "children").read_text().split():
                yield from _tree(int(child))


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []


def _own_seconds(process: int) -> float:
    with suppress(OSError):
        # The second field is the program's name, in parentheses, which may hold spaces.
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0
