"""Large requests in pieces, and their outcomes in one again. Byte arithmetic, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Evaluation, Kind, Outcome, Tensor, Timing
from pullback_server.scheduling.buckets import POINT
from pullback_server.scheduling.joining import buffer_of
from pullback_server.scheduling.serving import Piece


def spread(points: int, workers: int, seconds: float, least_seconds: float) -> int:
    """How many points a piece has when a batch is spread over workers in near-equal pieces.

    Args:
        points: The size of the batch.
        workers: How many workers can take a piece.
        seconds: What the batch takes on one of them.
        least_seconds: A piece should take so long at least.
    """
    pieces = max(1, min(workers, points, int(seconds / least_seconds)))
    return ceil(points / pieces)


def cut(evaluation: Evaluation, pieces: Sequence[Piece], point: Kind | None) -> Iterator[Evaluation]:
    """The pieces of a batch, whose inputs are views of its inputs.

    Args:
        evaluation: The batch.
        pieces: What they are; together as many points as the batch has.
        point: The kind of its single points, for pieces of the bucket `POINT`.
    """
    kind = evaluation.kind
    columns = list(zip(kind.inputs, kind.batched or (), map(buffer_of, evaluation.inputs), strict=True))
    start = 0
    for piece in pieces:
        stop = start + piece.points
        inputs = tuple(
            memoryview(data)[start * type_.nbytes : stop * type_.nbytes] if leads else data
            for type_, leads, data in columns
        )
        alone = piece.bucket == POINT and point is not None
        yield Evaluation(point, inputs) if alone and point else Evaluation(kind, inputs, piece.points)
        start = stop


def put_together(outcomes: Sequence[Outcome], kind: Kind, counts: Sequence[int | None]) -> Outcome:
    """The outcome of a batch from those of its pieces.

    Args:
        outcomes: The outcomes in the order of the points.
        kind: The kind of the batch.
        counts: The points of each piece; None for a single point, whose results have no axis of points.
    """
    points = sum(1 if count is None else count for count in counts)
    wants = zip(kind.wants, *(outcome.results for outcome in outcomes), strict=True)
    results = tuple(
        tuple(
            leaves[0] if want.sparse and number % 3 else _concatenated(leaves, counts[0], points)
            for number, leaves in enumerate(zip(*parts, strict=True))
        )
        for want, *parts in wants
    )
    return Outcome(results, _timing([outcome.timing for outcome in outcomes]))


def _concatenated(leaves: Sequence[Tensor], first: int | None, points: int) -> Tensor:
    type_ = leaves[0].type
    at_one_point = type_ if first is None else TensorType(type_.element, type_.shape[1:])
    return Tensor(at_one_point.batched(points), b"".join(leaf.data for leaf in leaves))


def _timing(timings: Sequence[Timing]) -> Timing:
    return Timing(
        compile=max(timing.compile for timing in timings),
        execute=sum(timing.execute for timing in timings),
        queue=max(timing.queue for timing in timings),
        batch=sum(max(timing.batch, 1) for timing in timings),
        padding=sum(timing.padding for timing in timings),
    )
