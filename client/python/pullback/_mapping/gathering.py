"""Gathers the items of iterators, points or blocks of them, into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback._evaluation.arguments import is_batched
from pullback._evaluation.calls import call_of
from pullback._evaluation.inputs import Collected, Input, Inputs, at_sizes_of
from pullback._evaluation.plans import Plan
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import ResolvedWant
from pullback._mapping.cutting import Chunk, Piece, chunk_points
from pullback.errors import invalid_argument
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType

Row = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    """What stays the same over a map of iterators.

    Attributes:
        revision: The resource name of the function's revision.
        signature: The function's.
        wants: What is wanted.
        shared: The arguments that all points share, by name.
        tangents: For JVP, HVP and GGN_VP: what all points share.
        cotangents: For VJP: what all points share.
        chunk: The number of points in a chunk; None is what fits.
    """

    revision: str
    signature: Signature
    wants: tuple[ResolvedWant, ...]
    shared: Mapping[str, Any]
    tangents: Sequence[Any] | None = None
    cotangents: Any = None
    chunk: int | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """What items have in common that go into one chunk.

    Attributes:
        plan: That of their evaluations.
        first: What goes into the evaluation of the first of them.
        own: How many leaves of the arguments come from the iterators; the others are shared.
        points: How many points a chunk has.
        nbytes: The bytes of a point with its results.
    """

    plan: Plan
    first: Collected
    own: int
    points: int
    nbytes: int


class Gathering:
    """Items on their way into chunks. Items of different sizes (symbols) go into different chunks.

    Args:
        mapped: What stays the same.
    """

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped
        self._symbolic = bool(mapped.signature.symbols)
        self._items = 0
        self._start = 0
        self._rows: list[Row] = []
        self._pieces: list[Piece] = []
        self._points = 0
        self._group: _Group | None = None
        given = mapped.signature.arguments
        self._own = [sum(len(each.leaves) for each in given[:count]) for count in range(len(given) + 1)]

    def add(self, item: tuple[Any, ...]) -> Iterator[Chunk]:
        """Takes an item, a value for each argument by position, and gives the chunks that are full.

        Raises:
            InvalidArgumentError: If it does not fit the signature; the message says which it is.
        """
        plan, collected = self._read(item)
        own = self._own[len(item)]
        _require_shared((*collected.arguments[own:], *collected.tangents, *collected.cotangents))
        if self._group is None or self._group.plan is not plan:
            yield from self.rest()
            size = chunk_points(self._mapped.wants, _batched(collected, own), self._mapped.chunk)
            self._group = _Group(plan, collected, own, *size)
        row = tuple([_rows(each, collected.points) for each in collected.arguments[:own]])
        yield from self._cut(self._group, row, single=collected.points is None)

    def rest(self) -> Iterator[Chunk]:
        """What is left, as a last chunk."""
        if self._pieces and self._group is not None:
            yield self._chunk(self._group)

    def _read(self, item: tuple[Any, ...]) -> tuple[Plan, Collected]:
        mapped = self._mapped
        inputs = Inputs(item, mapped.shared, mapped.tangents, mapped.cotangents)
        try:
            plan = self._plan_of(inputs)
            collected = plan.layout.collect(inputs)
        except ValueError as error:
            error.add_note(f"this is item {self._items} of the map")
            raise
        self._items += 1
        return plan, collected

    def _plan_of(self, inputs: Inputs) -> Plan:
        """The plan of the last item, unless this one is of other sizes."""
        mapped, group = self._mapped, self._group
        if group is not None and not self._symbolic:
            return group.plan
        signature = at_sizes_of(mapped.signature, inputs)
        if group is not None and group.plan.layout.signature == signature:
            return group.plan
        return Plan(mapped.revision, signature, mapped.wants)

    def _cut(self, group: _Group, row: Row, *, single: bool) -> Iterator[Chunk]:
        points, start = len(row[0]), 0
        while True:
            stop = min(points, start + group.points - self._points)
            self._rows.append(tuple([array[start:stop] for array in row]))
            end = self._points + stop - start
            self._pieces.append(Piece(self._points, end, single, last=stop == points))
            self._points, start = end, stop
            if self._points >= group.points:
                yield self._chunk(group)
            if start == points:
                # What is left waits for the next item, and an iterator may use its arrays again for that.
                self._rows[-1:] = [tuple([array.copy() for array in last]) for last in self._rows[-1:]]
                return

    def _chunk(self, group: _Group) -> Chunk:
        rows, self._rows = self._rows, []
        pieces, self._pieces = tuple(self._pieces), []
        points, self._points = self._points, 0
        start, self._start = self._start, self._start + points
        collected = _joined(group, rows, points)
        call = call_of(group.plan, collected)
        return Chunk(start, start + points, call, collected.signature, points * group.nbytes, pieces)


def _joined(group: _Group, rows: list[Row], points: int) -> Collected:
    first = group.first
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    own = tuple(each._replace(array=array) for each, array in zip(first.arguments, columns, strict=False))
    return first._replace(arguments=(*own, *first.arguments[len(own) :]), points=points)


def _rows(given: Input, points: int | None) -> Array:
    """The array with an axis of points, whether it came with one or not."""
    if is_batched(given.array, given.type):
        return given.array
    if points is None:
        return given.array[np.newaxis]
    return np.broadcast_to(given.array, (points, *given.array.shape))


def _batched(collected: Collected, own: int) -> Collected:
    """The same with an axis of points for what comes from the iterators, for its size alone."""
    batched = tuple(
        each if is_batched(each.array, each.type) else each._replace(array=each.array[np.newaxis])
        for each in collected.arguments[:own]
    )
    return collected._replace(arguments=(*batched, *collected.arguments[own:]))


def _require_shared(inputs: Sequence[Input]) -> None:
    for each in inputs:
        if is_batched(each.array, each.type):
            expected: TensorType = each.type
            raise invalid_argument(
                "SHAPE_MISMATCH",
                f"{each.path} has the shape {list(each.array.shape)} and is shared by all items, so pass "
                f"{list(expected.shape)}; what differs comes from iterators, by position",
            )
