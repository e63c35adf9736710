"""Subscripts against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

A = np.arange(24.0).reshape(2, 3, 4)
INDICES = [
    "0",
    "-1",
    "1, 2, 3",
    "1:",
    ":, ::-1",
    "::-2, 1:2",
    "..., 0",
    "0, ..., -1:",
    "...",
    "..., newaxis",
    "None, 1, None, :, 2",
    "[0, 1, 1]",
    ":, [2, 0]",
    "[[0], [1]], [0, 2]",
    "1:1",
    "5:",
    "-100:100",
    "(1, 2)",
    "0, (1)",
]


@pytest.mark.parametrize("index", INDICES)
def test_equals_numpy(index: str, formula: Any) -> None:
    """Integers, slices, ellipses, new axes and integer arrays pick what they pick in NumPy."""
    expected = _numpy(index)
    actual = formula(f"A[{index}]", A="f64[2,3,4]")(A)
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(actual, expected)


def _numpy(index: str) -> Any:
    items = {
        "0": 0,
        "-1": -1,
        "1, 2, 3": (1, 2, 3),
        "1:": np.s_[1:],
        ":, ::-1": np.s_[:, ::-1],
        "::-2, 1:2": np.s_[::-2, 1:2],
        "..., 0": np.s_[..., 0],
        "0, ..., -1:": np.s_[0, ..., -1:],
        "...": ...,
        "..., newaxis": np.s_[..., None],
        "None, 1, None, :, 2": np.s_[None, 1, None, :, 2],
        "[0, 1, 1]": [0, 1, 1],
        ":, [2, 0]": np.s_[:, [2, 0]],
        "[[0], [1]], [0, 2]": ([[0], [1]], [0, 2]),
        "1:1": np.s_[1:1],
        "5:": np.s_[5:],
        "-100:100": np.s_[-100:100],
        "(1, 2)": (1, 2),
        "0, (1)": (0, 1),
    }
    return A[items[index]]


def test_index_arrays_of_the_caller(formula: Any) -> None:
    """An integer argument indexes, and one out of range is moved to the nearest end."""
    function = formula("x[i]", x="f64[3]", i="i32[4]")
    x, i = np.array([1.0, 2.0, 3.0]), np.array([2, -1, 0, 9], np.int32)
    np.testing.assert_array_equal(function(x, i), [3.0, 3.0, 1.0, 3.0])


def test_shapes_are_integers(formula: Any) -> None:
    """What follows from shapes can stand where a number is due."""
    source = "h = A.shape[0] // 2 + len(A); reshape(A, (h - 1, A.size // 4 * 2, -1))[:, :A.ndim] * size(A)"
    actual = formula(source, A="f64[2,3,4]")(A)
    np.testing.assert_array_equal(actual, A.reshape(2, 12, 1)[:, :3] * 24)


def test_slices_of_shapes(formula: Any) -> None:
    """A tuple can be sliced and given a name."""
    actual = formula("s = A.shape[1:]; zeros(s) + A[s[0] - 3]", A="f64[2,3,4]")(A)
    np.testing.assert_array_equal(actual, A[0])
