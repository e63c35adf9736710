"""How results look."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest

from pullback._evaluation.results import FLOAT0
from pullback._evaluation.sparse import Sparse
from pullback.cli.results import print_result, result_arrays, result_as_json


class Point(NamedTuple):
    """A named tuple."""

    u: Any
    v: Any


TREE = {"w": [np.zeros((2, 1)), None], "p": Point(np.array(1), (np.array(True),))}


def test_as_json() -> None:
    """Arrays as nested lists, named tuples as objects, scalars as numbers."""
    assert json.loads(json.dumps(result_as_json(TREE))) == {
        "w": [[[0.0], [0.0]], None],
        "p": {"u": 1, "v": [True]},
    }


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([1 + 2j]), [[1.0, 2.0]]),
        (np.array(0.5, ml_dtypes.bfloat16), 0.5),
        (np.zeros((2,), FLOAT0), None),
        (np.zeros((0, 2)), []),
    ],
)
def test_kinds_of_arrays_as_json(array: np.ndarray, expected: Any) -> None:
    """Complex numbers as pairs, narrow floats as numbers, what has no derivative as null."""
    assert result_as_json(array) == expected


def test_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Leaf by leaf, after its path."""
    print_result("grad", TREE)
    assert (
        capsys.readouterr().out == "grad['w'][0] =\n[[0.]\n [0.]]\ngrad['p'].u = 1\ngrad['p'].v[0] = True\n"
    )


def test_in_a_file() -> None:
    """By path, without what has no elements to write."""
    arrays = result_arrays("vjp", (np.ones(2), np.zeros(2, FLOAT0), TREE))
    assert list(arrays) == ["vjp[0]", "vjp[2]['w'][0]", "vjp[2]['p'].u", "vjp[2]['p'].v[0]"]


def test_sparse_results(capsys: pytest.CaptureFixture[str]) -> None:
    """Values, rows, columns and shape, each under its own name."""
    sparse = Sparse(np.array([2.5]), np.array([1], np.int32), np.array([0], np.int32), (2, 3))
    expected = {"values": [2.5], "rows": [1], "cols": [0], "shape": [2, 3]}
    assert result_as_json(sparse) == expected
    assert sorted(result_arrays("hessian", sparse)) == [f"hessian.{name}" for name in sorted(expected)]
    print_result("hessian", sparse)
    assert "hessian.rows = [1]" in capsys.readouterr().out
