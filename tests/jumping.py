"""An event loop that does not wait: its clock, and with it everybody's, jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

_T = TypeVar("_T")


class _Clock(selectors.DefaultSelector):  # type: ignore[misc, valid-type] -- it is a class by platform
    """Passes the time that others would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now."""
        self.now += max(timeout or 0.0, 0.0)
        return list(super().select(0))


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its own events."""

    def __init__(self) -> None:
        self._passing = _Clock()
        super().__init__(self._passing)

    def time(self) -> float:
        """Seconds since its start."""
        return self._passing.now


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine on such a loop, whose time `time.monotonic` tells meanwhile."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", runner.get_loop().time)
        return runner.run(main)
