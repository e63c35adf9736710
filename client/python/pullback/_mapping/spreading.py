"""Gives each item of an iterator its own results, from those of the chunks that it went into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pullback._evaluation.results import Results, Timing, result_tree
from pullback._evaluation.wants import ResolvedWant
from pullback._mapping.cutting import Chunk, Piece
from pullback._mapping.joining import total
from pullback._mapping.leaves import ResultLeaf, joined, point_of, points_of
from pullback.program.trees import Tree, flatten, unflatten


class Spreading:
    """Results on their way to items.

    Args:
        wants: What is wanted.
    """

    def __init__(self, wants: tuple[ResolvedWant, ...]) -> None:
        self._wants = wants
        self._begun: list[list[list[ResultLeaf]]] = []
        self._timings: list[Timing] = []

    def add(self, chunk: Chunk, results: Results) -> Iterator[Results]:
        """Takes the results of a chunk, and gives those of the items that end in it."""
        trees = [result_tree(want, chunk.signature) for want in self._wants]
        columns = [flatten(tree, results[want.key]) for tree, want in zip(trees, self._wants, strict=True)]
        for piece in chunk.pieces:
            self._begun.append([[_piece_of(leaf, piece) for leaf in column] for column in columns])
            self._timings.append(results.timing)
            if piece.last:
                yield self._finished(trees, results.revision)

    def _finished(self, trees: list[Tree], revision: str) -> Results:
        begun, self._begun = self._begun, []
        timings, self._timings = self._timings, []
        values: dict[str, Any] = {
            want.key: unflatten(tree, [joined(leaves) for leaves in zip(*columns, strict=True)])
            for want, tree, columns in zip(self._wants, trees, zip(*begun, strict=True), strict=True)
        }
        return Results(values, revision, total(timings))


def _piece_of(leaf: ResultLeaf, piece: Piece) -> ResultLeaf:
    return point_of(leaf, piece.start) if piece.single else points_of(leaf, piece.start, piece.stop)
