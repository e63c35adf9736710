"""In how many pieces a request is served, by which executables, and which of them are wanted later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pullback_server.engine.interface import Engine, WorkerState
from pullback_server.scheduling.buckets import bucket_of
from pullback_server.scheduling.hand import TILE_SECONDS
from pullback_server.scheduling.lane import Lane
from pullback_server.scheduling.serving import Gathering, Piece, serve, worth_compiling
from pullback_server.scheduling.splitting import spread, tile
from pullback_server.scheduling.warming import Warming

# Batches that take longer are spread over workers, in pieces that take half as long at least.
_SPREAD_SECONDS: Final = 8e-3
# There, those travel together who take so long at most: else it takes longer for one than what it waits for.
_JOINED_SECONDS: Final = TILE_SECONDS / 2
# What compiling is believed to take before it was measured.
_COMPILING_SECONDS: Final = 0.25


class Planning:
    """Plans how evaluations are served.

    Args:
        engine: What computes.
        warming: What has executables compiled that would have been of use.
    """

    def __init__(self, engine: Engine, warming: Warming) -> None:
        self._engine = engine
        self._warming = warming

    def pieces(
        self, lane: Lane, points: int | None, bucket: int, *, warm: bool, shared: bool
    ) -> Sequence[Piece]:
        """The pieces in which a request is served whose own bucket is cold or takes long.

        Args:
            lane: Its lane.
            points: The size of the batch; None for a single point.
            bucket: Its bucket.
            warm: Whether that is warm.
            shared: Whether others must not wait for all of it.

        Returns:
            The pieces; none where it is served as it is, which means compiling if its bucket is cold.
        """
        cut = self._cut(lane, points, shared=shared) if warm and points else ()
        if cut:
            return cut
        serving = serve(points or 1, self.warm(lane, bucket), lane.costs)
        if serving is None or not (warm or serving.seconds < (lane.compiling or _COMPILING_SECONDS)):
            return ()
        if not warm and (len(serving.pieces) > 1 or worth_compiling(bucket, serving.seconds, lane.costs)):
            self._warming.want(lane, bucket)
        return serving.pieces

    def warm(self, lane: Lane, own: int, *, shared: bool = False) -> list[int]:
        """The buckets of a lane that a ready worker has, and into which what has the bucket `own` can go.

        Args:
            lane: The lane.
            own: The bucket of what is to run.
            shared: Whether others wait for runs, so that none is made long by travelling together.
        """
        warmth = self._engine.warmth
        buckets = lane.buckets_for(own)
        if shared:
            seconds = lane.costs.seconds
            buckets = [each for each in buckets if each <= own or (seconds(each) or 0.0) <= _JOINED_SECONDS]
        return [bucket for bucket in buckets if warmth(lane.kind_of(bucket), bucket or None)]

    def regret(self, lane: Lane, points: int, gathering: Gathering, warm: Sequence[int]) -> None:
        """Sees to it that more points can go together the next time, if that pays."""
        own = bucket_of(points)
        if own in warm:
            lane.costs.doubt(own)
        elif worth_compiling(own, gathering.seconds * points, lane.costs):
            self._warming.want(lane, own)

    def ready(self) -> int:
        """How many workers are ready."""
        return sum(worker.state is WorkerState.READY for worker in self._engine.workers)

    def _cut(self, lane: Lane, points: int, *, shared: bool) -> tuple[Piece, ...]:
        """The pieces of a batch that takes long, for several workers or for the sake of others."""
        seconds = lane.costs.seconds(bucket_of(points)) or 0.0
        if seconds < (TILE_SECONDS if shared else _SPREAD_SECONDS):
            return ()
        ready = self.ready()
        several = ready > 1 and seconds >= _SPREAD_SECONDS
        size = self._spread(lane, points, seconds, ready) if several else points
        if shared:
            size = min(size, self._tile(lane, points, seconds))
        if size >= points:
            return ()
        starts = range(0, points, size)
        return tuple(Piece(min(size, points - start), bucket_of(size)) for start in starts)

    def _spread(self, lane: Lane, points: int, seconds: float, ready: int) -> int:
        """The size of the pieces for several workers, if these are warm for them; else all points."""
        size = spread(points, ready, seconds, _SPREAD_SECONDS / 2)
        warm = self._engine.warmth(lane.batch, size)
        if warm < ready:
            self._warming.want(lane, bucket_of(size))
            size = spread(points, warm, seconds, _SPREAD_SECONDS / 2)
            if self._engine.warmth(lane.batch, size) < warm:
                return points
        return size

    def _tile(self, lane: Lane, points: int, seconds: float) -> int:
        """The size of a tile: the best, while that is cold the largest warm one below, or all points."""
        best = tile(points, seconds, TILE_SECONDS)
        if best >= points:
            return points
        warm = [bucket for bucket in self.warm(lane, bucket_of(points)) if 0 < bucket <= best]
        if best not in warm:
            self._warming.want(lane, best)
        least = tile(points, seconds, TILE_SECONDS / 8)
        return warm[-1] if warm and warm[-1] >= least else points
