"""Which executables serve what waits, of those that are there: chosen by predicted time. Without I/O.

An executable that is missing takes long to compile, often seconds. So a request whose own bucket is cold
is padded into a larger one that is warm, or cut into smaller ones, where that is sooner done. The same
comparison bounds padding: what it costs is held against the cost of one more run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pullback_server.scheduling.buckets import Costs

RUN_SECONDS: Final = 150e-6
"""What a run costs beyond its time on the device: a message to a worker and back, and its launch."""

MOST_PIECES: Final = 64
"""So many pieces a request may be cut into."""

# An executable that saves less than this of the time is not worth compiling.
_WORTH_COMPILING: Final = 0.7


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request that runs at once.

    Attributes:
        points: How many points it holds.
        bucket: The executable that runs it; larger than `points` where it is padded.
    """

    points: int
    bucket: int


@dataclass(frozen=True, slots=True)
class Serving:
    """How a request is served.

    Attributes:
        pieces: What runs, in the order of the points.
        seconds: What that takes by prediction, one piece after the other.
    """

    pieces: tuple[Piece, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Gathering:
    """Requests that go together.

    Attributes:
        members: How many of those that wait, from the first.
        bucket: The executable that runs them; None where nothing that is warm does.
        seconds: What a point of theirs takes by prediction.
    """

    members: int
    bucket: int | None
    seconds: float


def serve(points: int, warm: Sequence[int], costs: Costs) -> Serving | None:
    """The soonest way to serve one request with what is warm.

    Args:
        points: The size of the batch, at least 1; 1 for a single point.
        warm: The buckets that are warm, in ascending order.
        costs: What runs take.

    Returns:
        The way; None where nothing is warm, or more than `MOST_PIECES` pieces would be needed.
    """
    best = _padded(points, warm, costs)
    whole: list[Piece] = []
    seconds, rest = 0.0, points
    for bucket in reversed(warm):
        size = bucket or 1
        if size > rest:
            continue
        count, rest = divmod(rest, size)
        whole += [Piece(size, bucket)] * min(count, MOST_PIECES + 1)
        seconds += count * run_seconds(bucket, costs)
        if len(whole) > MOST_PIECES:
            break
        last = _padded(rest, warm, costs) if rest else Serving((), 0.0)
        if last is None or len(whole) + len(last.pieces) > MOST_PIECES:
            continue
        if best is None or seconds + last.seconds < best.seconds:
            best = Serving((*whole, *last.pieces), seconds + last.seconds)
    return best


def gather(sums: Sequence[int], warm: Sequence[int], costs: Costs) -> Gathering:
    """How many of the requests that wait go together now, by the least time for a point.

    Args:
        sums: The points of the first request, of the first two, and so on; at least one.
        warm: The buckets that are warm, in ascending order.
        costs: What runs take.

    Returns:
        What goes; one member where nothing is gained by taking more.
    """
    alone = serve(sums[0], warm, costs)
    best = Gathering(1, *_whole(alone, sums[0]))
    for bucket in warm:
        members = bisect_right(sums, bucket)
        if members < 2:  # noqa: PLR2004 -- one alone is no company
            continue
        each = run_seconds(bucket, costs) / sums[members - 1]
        if each < best.seconds:
            best = Gathering(members, bucket, each)
        if members == len(sums):
            break
    return best


def worth_compiling(bucket: int, seconds: float, costs: Costs) -> bool:
    """Whether a bucket would serve a request in clearly less time than what is warm.

    Of a kind that was never run as a batch, the best is hoped for.

    Args:
        bucket: The request's own bucket.
        seconds: The time that serving it takes with what is warm.
        costs: What runs take.
    """
    expected = costs.seconds(bucket) if costs.batches else 0.0
    return RUN_SECONDS + (expected or 0.0) < _WORTH_COMPILING * seconds


def run_seconds(bucket: int, costs: Costs) -> float:
    """What one run of a bucket takes altogether, in seconds."""
    return RUN_SECONDS + (costs.seconds(bucket) or 0.0)


def _whole(serving: Serving | None, points: int) -> tuple[int | None, float]:
    """The bucket that serves a request in one piece, if one does, and the time for a point."""
    if serving is None:
        return None, float("inf")
    bucket = serving.pieces[0].bucket if len(serving.pieces) == 1 else None
    return bucket, serving.seconds / points


def _padded(points: int, warm: Sequence[int], costs: Costs) -> Serving | None:
    bucket = next((bucket for bucket in warm if (bucket or 1) >= points), None)
    if bucket is None:
        return None
    return Serving((Piece(points, bucket),), run_seconds(bucket, costs))
