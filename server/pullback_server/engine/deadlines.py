"""Waiting no longer than a caller does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pullback_server.errors import Reason, ServiceError, service_error


def too_late() -> ServiceError:
    """The error of a call whose time is over."""
    return service_error(
        Reason.DEADLINE_EXCEEDED,
        "the call's deadline passed before its answer was there; give it more time, or ask for less",
    )


@asynccontextmanager
async def before(until: float | None) -> AsyncIterator[None]:
    """Ends what the block waits for when a time has come. Not for what every call does: it takes too long.

    Args:
        until: The time, on the clock of `time.monotonic`; None if there is none.

    Raises:
        DeadlineError: DEADLINE_EXCEEDED when the time has come.
    """
    try:
        async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
            yield
    except TimeoutError as error:
        raise too_late() from error
