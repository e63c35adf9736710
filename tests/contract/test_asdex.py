"""What the planner leans on in asdex: patterns, colourings, and entries cut from what colours give."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.planner.sparse.library import asdex
from pullback_server.compute.planner.sparse.reach import _SPREADING


def test_patterns_are_row_by_row() -> None:
    """Rows and columns are arrays, sorted by rows; constants of the jaxpr keep indices exact."""
    pattern = asdex().jacobian_sparsity(lambda x: x[np.array([2, 0])] * x[1], np.zeros(3), argnums=0)
    assert pattern.rows.tolist() == [0, 0, 1, 1]
    assert pattern.cols.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("mode", ["fwd", "rev", None])
def test_colourings_of_jacobians(mode: str | None) -> None:
    """A colour for each column or row, and entries gathered from colours in the pattern's order."""
    rows, columns = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 3])
    pattern = asdex().SparsityPattern.from_coo(rows, columns, (3, 4))
    colored = asdex().jacobian_coloring_from_sparsity(pattern, mode=mode)
    forward = colored.mode == "fwd"
    assert len(colored.colors) == (4 if forward else 3)
    dense = np.arange(12.0).reshape(3, 4) * pattern.todense()
    across = dense.T if forward else dense
    compressed = np.stack([across[colored.colors == c].sum(0) for c in range(colored.num_colors)])
    values = asdex().decompress_data(jnp.asarray(compressed), colored)
    np.testing.assert_array_equal(values, dense[colored.sparsity.rows, colored.sparsity.cols])


@pytest.mark.parametrize("symmetric", [True, False])
def test_colourings_of_hessians(symmetric: bool) -> None:
    """An arrow takes two colours where it is symmetric, else one for each column."""
    dense = np.diag(np.arange(1.0, 6.0))
    dense[0] = dense[:, 0] = np.arange(5.0) + 7
    rows, columns = np.nonzero(dense)
    pattern = asdex().SparsityPattern.from_coo(rows, columns, dense.shape)
    colored = asdex().hessian_coloring_from_sparsity(pattern, mode="fwd_over_rev", symmetric=symmetric)
    assert colored.num_colors == (2 if symmetric else 5)
    compressed = np.stack([dense[colored.colors == c].sum(0) for c in range(colored.num_colors)])
    values = asdex().decompress_data(jnp.asarray(compressed), colored)
    np.testing.assert_array_equal(values, dense[colored.sparsity.rows, colored.sparsity.cols])


def test_no_entries() -> None:
    """An empty pattern has no colours, and no values."""
    none = np.zeros(0, np.int32)
    pattern = asdex().SparsityPattern.from_coo(none, none, (2, 3))
    colored = asdex().jacobian_coloring_from_sparsity(pattern, mode="fwd")
    assert (colored.num_colors, asdex().decompress_data(jnp.zeros((0, 2)), colored).shape) == (0, (0,))


@pytest.mark.parametrize(
    ("name", "function", "example"),
    [
        ("fft", lambda x: jax.lax.fft(x, "FFT", (4,)), np.zeros(4, complex)),
        (
            "triangular_solve",
            lambda b: jax.lax.linalg.triangular_solve(np.eye(3), b, left_side=True, lower=True),
            np.zeros((3, 1)),
        ),
    ],
)
def test_the_primitives_that_spread_have_no_rule(name: str, function: Any, example: Any) -> None:
    """What asdex learns to trace need not be taken as dense any longer."""
    assert name in _SPREADING
    with pytest.raises(NotImplementedError, match=f"'{name}'"):
        asdex().jacobian_sparsity(function, example)
