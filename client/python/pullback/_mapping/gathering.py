"""Gathers the items of iterators, points or blocks of them, into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pullback._evaluation.arguments import is_batched
from pullback._evaluation.calls import call_of
from pullback._evaluation.inputs import Collected, Input, Inputs, collect
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


class Gathering:
    """Items on their way into chunks. Items of different sizes (symbols) go into different chunks.

    Args:
        mapped: What stays the same.
    """

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped
        self._items = 0
        self._start = 0
        self._rows: list[Row] = []
        self._pieces: list[Piece] = []
        self._points = 0
        self._first: Collected | None = None
        self._size = (1, 0)

    def add(self, item: tuple[Any, ...]) -> Iterator[Chunk]:
        """Takes an item, a value for each argument by position, and gives the chunks that are full.

        Raises:
            InvalidArgumentError: If it does not fit the signature; the message says which it is.
        """
        collected, row = self._read(item)
        if self._first is None or collected.signature != self._first.signature:
            yield from self.rest()
            self._first = collected
            self._size = chunk_points(self._mapped.wants, _batched(collected), self._mapped.chunk)
        yield from self._cut(row, single=collected.points is None)

    def rest(self) -> Iterator[Chunk]:
        """What is left, as a last chunk."""
        if self._pieces:
            yield self._chunk()

    def _read(self, item: tuple[Any, ...]) -> tuple[Collected, Row]:
        mapped = self._mapped
        inputs = Inputs(item, mapped.shared, mapped.tangents, mapped.cotangents)
        try:
            collected = collect(mapped.signature, mapped.wants, inputs)
        except ValueError as error:
            error.add_note(f"this is item {self._items} of the map")
            raise
        self._items += 1
        own = sum(len(argument.leaves) for argument in mapped.signature.arguments[: len(item)])
        _require_shared((*collected.arguments[own:], *collected.tangents, *collected.cotangents))
        return collected, tuple(_rows(each, collected.points) for each in collected.arguments[:own])

    def _cut(self, row: Row, *, single: bool) -> Iterator[Chunk]:
        points, start = len(row[0]), 0
        while True:
            stop = min(points, start + self._size[0] - self._points)
            self._rows.append(tuple(array[start:stop] for array in row))
            end = self._points + stop - start
            self._pieces.append(Piece(self._points, end, single, last=stop == points))
            self._points, start = end, stop
            if self._points >= self._size[0]:
                yield self._chunk()
            if start == points:
                # What is left waits for the next item, and an iterator may use its arrays again for that.
                self._rows[-1:] = [tuple(array.copy() for array in last) for last in self._rows[-1:]]
                return

    def _chunk(self) -> Chunk:
        rows, self._rows = self._rows, []
        pieces, self._pieces = tuple(self._pieces), []
        points, self._points = self._points, 0
        start, self._start = self._start, self._start + points
        collected = self._joined(rows, points)
        call = call_of(self._mapped.revision, self._mapped.wants, collected)
        return Chunk(start, start + points, call, collected.signature, points * self._size[1], pieces)

    def _joined(self, rows: list[Row], points: int) -> Collected:
        if self._first is None:
            raise AssertionError  # a chunk has rows, and rows have been read
        first = self._first
        columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
        own = tuple(replace(each, array=array) for each, array in zip(first.arguments, columns, strict=False))
        return replace(first, arguments=(*own, *first.arguments[len(own) :]), points=points)


def _rows(given: Input, points: int | None) -> Array:
    """The array with an axis of points, whether it came with one or not."""
    if is_batched(given.array, given.type):
        return given.array
    return np.broadcast_to(given.array, (1 if points is None else points, *given.array.shape))


def _batched(collected: Collected) -> Collected:
    """The same with an axis of points for what comes from the iterators, for its size alone."""
    own = tuple(
        each if is_batched(each.array, each.type) else replace(each, array=each.array[np.newaxis])
        for each in collected.arguments
    )
    return replace(collected, arguments=own)


def _require_shared(inputs: Sequence[Input]) -> None:
    for each in inputs:
        if is_batched(each.array, each.type):
            expected: TensorType = each.type
            raise invalid_argument(
                "SHAPE_MISMATCH",
                f"{each.path} has the shape {list(each.array.shape)} and is shared by all items, so pass "
                f"{list(expected.shape)}; what differs comes from iterators, by position",
            )
