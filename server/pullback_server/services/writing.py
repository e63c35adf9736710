"""Writes the answers of a call, each to its end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from inspect import isasyncgen
from typing import Any

from pullback_server.services.context import Context
from pullback_server.services.lasting import PATIENCE_SECONDS


async def write_all(answering: Any, context: Context) -> None:
    """Writes what a generator gives; what is none writes for itself."""
    if not isasyncgen(answering):
        await answering
        return
    async with aclosing(answering) as responses:
        async for response in responses:
            await _write(response, context)


async def _write(response: Any, context: Context) -> None:
    """Writes to the end, also if the call is to be broken off meanwhile: gRPC would lose its status."""
    writing = asyncio.ensure_future(context.write(response))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait((writing,), timeout=PATIENCE_SECONDS)
        for each in done:
            # Seen: whoever broke the call off need not be told by asyncio's log what else failed.
            if not each.cancelled():
                each.exception()
        raise
