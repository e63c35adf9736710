"""The memory of a process, as Linux counts it."""

from __future__ import annotations

import resource
from pathlib import Path


def resident_bytes(process: int) -> int | None:
    """How much memory a process has in hand, shared pages included; None where that cannot be told."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * resource.getpagesize()
