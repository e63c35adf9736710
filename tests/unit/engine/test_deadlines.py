"""Waiting no longer than a caller does."""

from __future__ import annotations

import asyncio
import time

import pytest

from pullback_server.engine.deadlines import before
from pullback_server.errors import DeadlineError


async def test_in_time() -> None:
    """What is over in time is left alone, with a deadline and without one."""
    for until in (None, time.monotonic() + 20):
        async with before(until):
            await asyncio.sleep(0)


@pytest.mark.parametrize("seconds", [-1.0, 0.05])
async def test_too_late(seconds: float) -> None:
    """What is not over is ended with an error that says so."""
    began = time.monotonic()
    with pytest.raises(DeadlineError, match="deadline passed"):
        async with before(began + seconds):
            await asyncio.sleep(20)
    assert time.monotonic() - began < 5
