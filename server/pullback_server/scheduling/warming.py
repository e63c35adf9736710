"""Compiles in the background what would have been of use, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pullback_server.engine.interface import Engine
from pullback_server.errors import ExecutionError, RequestError, ServiceError
from pullback_server.scheduling.buckets import POINT
from pullback_server.scheduling.figures import Figures
from pullback_server.scheduling.lane import Lane

_log = logging.getLogger(__name__)

# What was wanted so often is likely to be wanted again.
_LIKELY: Final = 2
_AT_ONCE: Final = 2


class Warming:
    """Has buckets compiled that are wanted again and again, a few at a time.

    Args:
        engine: What compiles.
        figures: Where is counted what was compiled.
    """

    def __init__(self, engine: Engine, figures: Figures) -> None:
        self._engine = engine
        self._figures = figures
        self._working: dict[tuple[int, int], asyncio.Task[None]] = {}

    def want(self, lane: Lane, bucket: int) -> None:
        """Says that a bucket would have been of use; it is compiled on all workers once that is usual."""
        if bucket in lane.refused:
            return
        lane.wanted[bucket] = lane.wanted.get(bucket, 0) + 1
        key = (id(lane), bucket)
        if lane.wanted[bucket] < _LIKELY or key in self._working or len(self._working) >= _AT_ONCE:
            return
        task = self._working[key] = asyncio.create_task(self._warm(lane, bucket))
        task.add_done_callback(lambda _: self._working.pop(key))

    async def _warm(self, lane: Lane, bucket: int) -> None:
        points = None if bucket == POINT else bucket
        lane.wanted.pop(bucket, None)
        try:
            await self._engine.warm(lane.kind_of(bucket), points)
        except (ExecutionError, RequestError) as error:
            lane.refused.add(bucket)
            _log.info("the bucket %d of %s is not compiled: %s", bucket, lane.batch.digest, error.message)
        except ServiceError as error:
            _log.info("the bucket %d of %s is not compiled now: %s", bucket, lane.batch.digest, error.message)
        else:
            lane.know(bucket)
            self._figures.warmed += 1
