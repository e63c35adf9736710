"""The leaves of results, arrays or sparse matrices with the points first: cutting and joining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pullback._evaluation.sparse import Sparse
from pullback._evaluation.tensors import Array

ResultLeaf = Array | Sparse


def points_of(leaf: ResultLeaf, start: int, stop: int) -> ResultLeaf:
    """The results of some points; a view."""
    if isinstance(leaf, Sparse):
        return replace(leaf, values=leaf.values[start:stop])
    return leaf[start:stop]


def point_of(leaf: ResultLeaf, point: int) -> ResultLeaf:
    """The result of one point, without the axis of points; an array of its own even where it is a scalar."""
    if isinstance(leaf, Sparse):
        return replace(leaf, values=leaf.values[point, ...])
    return leaf[point, ...]


def joined(leaves: Sequence[ResultLeaf]) -> ResultLeaf:
    """The results of several runs of points as those of one; the same one if it is alone."""
    first = leaves[0]
    if len(leaves) == 1:
        return first
    if isinstance(first, Sparse):
        return replace(first, values=np.concatenate([values_of(leaf) for leaf in leaves]))
    return np.concatenate([values_of(leaf) for leaf in leaves])


def values_of(leaf: ResultLeaf) -> Array:
    """What of a leaf has an axis of points."""
    return leaf.values if isinstance(leaf, Sparse) else leaf


def with_values(leaf: ResultLeaf, values: Array) -> ResultLeaf:
    """The leaf with other values, the entries of a sparse matrix at the same places."""
    return replace(leaf, values=values) if isinstance(leaf, Sparse) else values
