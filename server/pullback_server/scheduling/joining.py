"""Requests that travel as one batch, and each one's share of what comes back. Byte arithmetic, without I/O.

Points lie one after the other, row-major, so that a batch of requests is the concatenation of their
bytes, and their results are slices of its results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Buffer, Data, Evaluation, Kind, Outcome, Tensor
from pullback_server.model.memory import Place

Results = tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """One leaf of the results of a batch, ready to be sliced.

    Attributes:
        type: Its type at one point.
        nbytes: Its bytes at one point.
        data: The bytes of all points.
    """

    type: TensorType
    nbytes: int
    data: memoryview

    def at(self, start: int, points: int | None) -> Tensor:
        """The leaf of one request, whose points begin at `start`."""
        first = start * self.nbytes
        if points is None:
            return Tensor(self.type, self.data[first : first + self.nbytes])
        return Tensor(self.type.batched(points), self.data[first : first + points * self.nbytes])


def batch_kind(kind: Kind) -> Kind:
    """The kind of batches that points of a kind travel in: of a single point, all inputs are batched."""
    if kind.batched is not None:
        return kind
    return replace(kind, batched=(True,) * len(kind.inputs))


def shared_bytes(kind: Kind, evaluation: Evaluation) -> bytes:
    """The inputs that the points of a batch share; requests can travel together where they are equal."""
    if kind.batched is None or all(kind.batched):
        return b""
    pairs = zip(evaluation.inputs, kind.batched, strict=True)
    return b"".join(buffer_of(data) for data, leads in pairs if not leads)


def join(members: Sequence[Evaluation], kind: Kind, bucket: int) -> Evaluation:
    """One batch of several requests, padded to a bucket with the last point.

    Args:
        members: Single points and batches that share the same inputs, with one point at least.
        kind: The kind of the batch.
        bucket: How many points it gets, padding included.
    """
    padding = bucket - sum(1 if member.points is None else member.points for member in members)
    columns = zip(*(member.inputs for member in members), strict=True)
    triples = zip(kind.inputs, kind.batched or (), columns, strict=True)
    inputs = tuple(
        _concatenated(column, type_.nbytes, padding) if leads else column[0]
        for type_, leads, column in triples
    )
    return Evaluation(kind, inputs, bucket)


def shares(outcome: Outcome, kind: Kind, counts: Sequence[int | None]) -> Iterator[Results]:
    """The results of each request that travelled in a batch, in their order.

    Args:
        outcome: What came of the batch.
        kind: The kind of the batch.
        counts: The points of each request; None for a single point, which gets no axis of points.
    """
    wants = [
        _columns(leaves, sparse=want.sparse) for leaves, want in zip(outcome.results, kind.wants, strict=True)
    ]
    start = 0
    for points in counts:
        yield tuple(
            [
                tuple([each.at(start, points) if isinstance(each, _Column) else each for each in columns])
                for columns in wants
            ]
        )
        start += 1 if points is None else points


def buffer_of(data: Data) -> Buffer:
    """The bytes of an input, wherever they lie."""
    return data.view if isinstance(data, Place) else data


def _concatenated(column: Sequence[Data], nbytes: int, padding: int) -> Data:
    if len(column) == 1 and not padding:
        return column[0]
    parts = [buffer_of(data) for data in column]
    if padding and nbytes:
        parts += [memoryview(parts[-1])[-nbytes:]] * padding
    return b"".join(parts)


def _columns(leaves: Sequence[Tensor], *, sparse: bool) -> list[_Column | Tensor]:
    """Leaves ready to be sliced; rows and columns of sparse results hold for all points as they are."""
    return [
        leaf if sparse and number % 3 else _column(leaf.type, leaf.data) for number, leaf in enumerate(leaves)
    ]


def _column(type_: TensorType, data: Buffer) -> _Column:
    at_one_point = TensorType(type_.element, type_.shape[1:])
    return _Column(at_one_point, at_one_point.nbytes, memoryview(data))
