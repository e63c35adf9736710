"""Sparse matrices as the server gives them: entries with their coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.errors import invalid_argument


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A Jacobian or Hessian of which only the entries that can differ from zero are kept.

    Its rows are the elements of what is differentiated, ravelled, its columns those of the argument. Which
    entries it has follows from the function alone, so it is the same wherever it is evaluated.

    Attributes:
        values: The entries, of shape (entries,), or (points, entries) for a batch.
        rows: The row of each entry.
        cols: The column of each entry.
        shape: The number of rows and of columns.
    """

    values: Array
    rows: Array
    cols: Array
    shape: tuple[int, int]

    def todense(self) -> Array:
        """All entries, zeros too: an array of `shape`, behind the points of a batch."""
        dense = np.zeros((*self.values.shape[:-1], *self.shape), self.values.dtype)
        dense[..., self.rows, self.cols] = self.values
        return dense

    def to_scipy(self) -> Any:
        """The matrix as a `scipy.sparse.coo_array`; needs scipy.

        Raises:
            ImportError: If scipy is not installed.
            InvalidArgumentError: If it is one of a batch: scipy has no batches.
        """
        from scipy.sparse import coo_array  # noqa: PLC0415 -- an extra that the client does not demand

        if self.values.ndim > 1:
            raise invalid_argument(
                "MALFORMED_REQUEST",
                f"this is a batch of {len(self.values)} matrices, and scipy has no batches; make one each: "
                "pullback.Sparse(sparse.values[i], sparse.rows, sparse.cols, sparse.shape).to_scipy()",
            )
        return coo_array((self.values, (self.rows, self.cols)), shape=self.shape)

    def __repr__(self) -> str:
        batch = f" at {len(self.values)} points" if self.values.ndim > 1 else ""
        return f"<Sparse {list(self.shape)} {self.values.dtype}, {len(self.rows)} entries{batch}>"
