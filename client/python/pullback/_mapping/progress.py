"""Shows how far a map is: with tqdm where it is installed, else with a line of its own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from types import TracebackType
from typing import Any, Final, Self

_INTERVAL: Final = 0.5


class Progress:
    """How far a map is, on standard error; used as a context manager.

    Args:
        shown: Whether to show it.
        total: How many points there are; None where that is not known.
    """

    def __init__(self, shown: bool, total: int | None) -> None:
        self._bar = _bar(total) if shown else None

    def advance(self, points: int) -> None:
        """Counts points as done."""
        if self._bar is not None:
            self._bar.update(points)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class Line:
    """A line that is written anew as points are done, at most twice a second.

    Args:
        total: How many points there are; None where that is not known.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._written = self._began

    def update(self, points: int) -> None:
        """Counts points as done."""
        self._done += points
        if time.monotonic() - self._written >= _INTERVAL:
            self._write()

    def close(self) -> None:
        """Writes the last state, and ends the line."""
        self._write()
        sys.stderr.write("\n")

    def _write(self) -> None:
        self._written = time.monotonic()
        whole = "" if self._total is None else f" of {self._total:,}"
        rate = self._done / max(self._written - self._began, 1e-3)
        sys.stderr.write(f"\r{self._done:,}{whole} points, {rate:,.0f} a second ")
        sys.stderr.flush()


def _bar(total: int | None) -> Any:
    if importlib.util.find_spec("tqdm") is None:
        return Line(total)
    return importlib.import_module("tqdm.auto").tqdm(total=total, unit="points", unit_scale=True)
