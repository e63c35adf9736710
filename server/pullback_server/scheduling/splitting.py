"""Large requests in pieces, and their outcomes in one again. Byte arithmetic, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from pullback.memory.blocks import ALIGNMENT
from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Data, Evaluation, Kind, Outcome, Tensor, Timing
from pullback_server.model.memory import Place
from pullback_server.scheduling.buckets import POINT
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


def tile(points: int, seconds: float, longest_seconds: float) -> int:
    """How many points a tile has that takes so long at most: a power of two, so that nothing is padded.

    Args:
        points: The size of the batch.
        seconds: What the batch takes.
        longest_seconds: What a tile may take, if it has more than one point.
    """
    most = int(points * longest_seconds / seconds)
    return 1 << (max(most, 1).bit_length() - 1)


def cut(evaluation: Evaluation, pieces: Sequence[Piece], point: Kind | None) -> Iterator[Evaluation]:
    """The pieces of a batch, whose inputs are views of its inputs.

    Args:
        evaluation: The batch.
        pieces: What they are; together as many points as the batch has.
        point: The kind of its single points, for pieces of the bucket `POINT`.
    """
    kind = evaluation.kind
    columns = list(zip(kind.inputs, kind.batched or (), evaluation.inputs, strict=True))
    start = 0
    for piece in pieces:
        stop = start + piece.points
        inputs = tuple(
            _part(data, start * type_.nbytes, stop * type_.nbytes) if leads else data
            for type_, leads, data in columns
        )
        alone = piece.bucket == POINT and point is not None
        place = _place_of(evaluation, start, stop)
        yield Evaluation(point, inputs) if alone and point else Evaluation(kind, inputs, piece.points, place)
        start = stop


def put_together(
    outcomes: Sequence[Outcome], kind: Kind, counts: Sequence[int | None], target: Place | None = None
) -> Outcome:
    """The outcome of a batch from those of its pieces.

    Args:
        outcomes: The outcomes in the order of the points.
        kind: The kind of the batch.
        counts: The points of each piece; None for a single point, whose results have no axis of points.
        target: Where the results may be written, as far as they fit.
    """
    room = None if target is None else _Room(target)
    points = sum(1 if count is None else count for count in counts)
    wants = zip(kind.wants, *(outcome.results for outcome in outcomes), strict=True)
    results = tuple(
        tuple(
            leaves[0] if want.sparse and number % 3 else _concatenated(leaves, counts[0], points, room)
            for number, leaves in enumerate(zip(*parts, strict=True))
        )
        for want, *parts in wants
    )
    return Outcome(results, _timing([outcome.timing for outcome in outcomes]))


class _Room:
    """The memory for the results of a batch, given out leaf after leaf."""

    def __init__(self, target: Place) -> None:
        self._target = target
        self._used = 0

    def take(self, nbytes: int) -> Place | None:
        """Where a leaf goes; None if it does not fit."""
        begin, self._used = self._used, self._used + -(-nbytes // ALIGNMENT) * ALIGNMENT
        if begin + nbytes > self._target.nbytes:
            return None
        return Place(self._target.segment, self._target.offset + begin, nbytes)


def _part(data: Data, start: int, stop: int) -> Data:
    if isinstance(data, Place):
        return Place(data.segment, data.offset + start, stop - start)
    return memoryview(data)[start:stop]


def _place_of(evaluation: Evaluation, start: int, stop: int) -> Place | None:
    """Where a piece writes its results, so that they lie as those of the whole batch: one leaf only does."""
    target, kind = evaluation.results, evaluation.kind
    if target is None or kind.result_leaves != 1 or stop * kind.result_bytes > target.nbytes:
        return None
    return Place(
        target.segment, target.offset + start * kind.result_bytes, (stop - start) * kind.result_bytes
    )


def _concatenated(leaves: Sequence[Tensor], first: int | None, points: int, room: _Room | None) -> Tensor:
    type_ = leaves[0].type
    at_one_point = type_ if first is None else TensorType(type_.element, type_.shape[1:])
    whole = at_one_point.batched(points)
    place = None if room is None else room.take(whole.nbytes)
    if place is None:
        return Tensor(whole, b"".join(leaf.data for leaf in leaves))
    _gather(leaves, place)
    return Tensor(whole, place.view, place)


def _gather(leaves: Sequence[Tensor], place: Place) -> None:
    """Copies to a place what does not lie there yet; what lies in it lies where it goes, or behind."""
    memory, at = place.view, 0
    for leaf in leaves:
        end = at + len(leaf.data)
        if leaf.place is None or leaf.place.offset != place.offset + at:
            memory[at:end] = leaf.data
        at = end


def _timing(timings: Sequence[Timing]) -> Timing:
    workers = {timing.worker for timing in timings}
    return Timing(
        compile=max(timing.compile for timing in timings),
        execute=sum(timing.execute for timing in timings),
        queue=max(timing.queue for timing in timings),
        batch=sum(max(timing.batch, 1) for timing in timings),
        padding=sum(timing.padding for timing in timings),
        worker=workers.pop() if len(workers) == 1 else "",
    )
