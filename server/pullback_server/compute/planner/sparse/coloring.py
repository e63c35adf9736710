"""Which entries a sparse derivative has, and which of its directions go together, as data. Knows no JAX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from pullback_server.model.quantities import Mode

Indices = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True)
class Block:
    """The entries of one pair of leaves.

    Attributes:
        entries: The numbers of the entries in the whole matrix.
        rows: The row of each in the block: an index into the ravelled leaf that is differentiated.
        columns: The column of each: an index into the ravelled leaf of the arguments.
    """

    entries: Indices
    rows: Indices
    columns: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Coloring:
    """A pattern whose rows or columns are coloured; equal only to itself.

    Attributes:
        mode: Forward where columns are coloured, reverse where rows are.
        colors: The number of colours.
        color: The colour of each column or row; negative where it has no entry.
        pattern: The asdex.ColoredPattern, which says where an entry is found.
        blocks: The entries of each pair of leaves, the arguments' leaves fastest.
    """

    mode: Mode
    colors: int
    color: Indices
    pattern: Any
    blocks: tuple[Block, ...]


def blocks_of(
    rows: Indices, columns: Indices, row_sizes: Sequence[int], column_sizes: Sequence[int]
) -> tuple[Block, ...]:
    """Cuts the entries of a matrix into blocks.

    Args:
        rows: The row of each entry.
        columns: The column of each entry.
        row_sizes: The number of rows of each block.
        column_sizes: The number of columns of each block.

    Returns:
        A block for each pair of sizes, columns fastest.
    """
    return tuple(
        _block(rows, columns, top, top + height, left, left + width)
        for top, height in zip(accumulate(row_sizes, initial=0), row_sizes, strict=False)
        for left, width in zip(accumulate(column_sizes, initial=0), column_sizes, strict=False)
    )


def _block(rows: Indices, columns: Indices, top: int, bottom: int, left: int, right: int) -> Block:
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    entries = np.flatnonzero(inside).astype(np.int32)
    return Block(
        entries,
        (rows[entries] - top).astype(np.int32),
        (columns[entries] - left).astype(np.int32),
    )
