"""Puts the results of chunks, as they come in order, into arrays of all points: in memory, or in files."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from pullback._evaluation.results import Results, Timing, result_tree
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import ResolvedWant
from pullback._mapping.cutting import Chunk
from pullback._mapping.files import created
from pullback._mapping.leaves import ResultLeaf, values_of, with_values
from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.errors import TreeMismatchError
from pullback.program.signature import Signature
from pullback.program.trees import Tree, count_leaves, flatten, unflatten


class Joining:
    """The results of a map, in the making.

    Args:
        wants: What is wanted.
        signature: The function's, at the sizes of the arguments.
        points: How many points there are.
        out: Where results go: for each want by its key, a tree like its result of paths of .npy files, of
            arrays or of None, which is memory; for a single want that tree alone will do; None is memory for
            all.

    Raises:
        InvalidArgumentError: If `out` does not fit the wants.
    """

    def __init__(
        self, wants: tuple[ResolvedWant, ...], signature: Signature, points: int, out: Any = None
    ) -> None:
        self._points = points
        chosen = _by_key(wants, out)
        self._columns = [_Column(want, signature, points, chosen.get(want.key)) for want in wants]
        self._timings: list[Timing] = []
        self._revision = ""

    def add(self, chunk: Chunk, results: Results) -> None:
        """Takes the results of a chunk.

        Raises:
            InvalidArgumentError: If `out` does not fit them.
            OSError: If a file cannot be written.
        """
        for column in self._columns:
            column.add(chunk, results[column.key])
        self._timings.append(results.timing)
        self._revision = results.revision

    def results(self) -> Results:
        """All results, in files too when this returns; times are sums over all messages."""
        values = {column.key: column.result() for column in self._columns}
        return Results(values, self._revision, total(self._timings))


class _Column:
    """The results of one want at all points."""

    def __init__(self, want: ResolvedWant, signature: Signature, points: int, out: Any) -> None:
        self.key = want.key
        self._tree = result_tree(want, signature)
        self._points = points
        self._places = _places(want.key, self._tree, out)
        self._leaves: list[ResultLeaf] = []

    def add(self, chunk: Chunk, result: Any) -> None:
        leaves = flatten(self._tree, result)
        if not self._leaves:
            pairs = zip(leaves, self._places, strict=True)
            self._leaves = [self._whole(leaf, place) for leaf, place in pairs]
        for whole, leaf in zip(self._leaves, leaves, strict=True):
            values_of(whole)[chunk.start : chunk.stop] = values_of(leaf)

    def _whole(self, leaf: ResultLeaf, place: Any) -> ResultLeaf:
        part = values_of(leaf)
        shape = (self._points, *part.shape[1:])
        match place:
            case None:
                return with_values(leaf, np.empty(shape, part.dtype))
            case str() | PathLike():
                return with_values(leaf, created(place, shape, part.dtype))
            case _:
                return with_values(leaf, _fitting(place, shape, part.dtype, self.key))

    def result(self) -> Any:
        for leaf in self._leaves:
            values = values_of(leaf)
            if isinstance(values, np.memmap):
                values.flush()
        return unflatten(self._tree, self._leaves)


def total(timings: list[Timing]) -> Timing:
    """The sums of all parts of some timings."""
    if len(timings) == 1:
        return timings[0]
    return Timing(*(sum(parts) for parts in zip(*timings, strict=True)))


def _by_key(wants: tuple[ResolvedWant, ...], out: Any) -> Mapping[str, Any]:
    keys = [want.key for want in wants]
    if out is None:
        return {}
    if isinstance(out, Mapping) and set(out) <= set(keys):
        return out
    if len(keys) == 1:
        return {keys[0]: out}
    raise _misfit(
        f"out={out!r} does not say which result goes where; pass a dict with keys among {', '.join(keys)}"
    )


def _places(key: str, tree: Tree, out: Any) -> list[Any]:
    if out is None:
        return [None] * count_leaves(tree)
    try:
        return flatten(tree, out, f"out[{key!r}]")
    except TreeMismatchError as error:
        raise _misfit(f"{error}, as the result is") from error


def _fitting(place: Any, shape: tuple[int, ...], dtype: np.dtype[Any], key: str) -> Array:
    if not isinstance(place, np.ndarray):
        raise _misfit(f"out for {key!r} is a {type(place).__name__}; pass a path of a .npy file or an array")
    if place.shape != shape or place.dtype != dtype:
        raise _misfit(
            f"out for {key!r} is {place.dtype}{list(place.shape)}; the result is {dtype}{list(shape)}"
        )
    if not place.flags.writeable:
        raise _misfit(f"out for {key!r} is read-only; give an array that can be written to")
    return place


def _misfit(message: str) -> InvalidArgumentError:
    return invalid_argument("MALFORMED_REQUEST", message)
