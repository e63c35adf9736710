"""Derivatives of lifted programs equal those that JAX computes where the function lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numerics.table import CASES, ROWS, Row, both, is_fast, is_slow

_SINGLE = 1e-5


def _param(row: Row) -> Any:
    # Rows that are compiled together belong in one process.
    group = pytest.mark.xdist_group(f"{row.case}-{row.dtype}-{row.batch}")
    return pytest.param(row, id=row.id, marks=[group, *_speed(row)])


def _speed(row: Row) -> list[pytest.MarkDecorator]:
    if is_fast(row):
        return []
    return [pytest.mark.slow if is_slow(row) else pytest.mark.exhaustive]


@pytest.mark.parametrize("row", list(map(_param, ROWS)))
def test_lifted_equals_local(row: Row, record_property: Callable[[str, object], None]) -> None:
    """A derivative of the lifted program equals the local one, to the last bit or nearly."""
    local, remote = both(row)
    assert [leaf.dtype for leaf in remote] == [leaf.dtype for leaf in local]
    assert [leaf.shape for leaf in remote] == [leaf.shape for leaf in local]
    error = max((_relative_error(a, b) for a, b in zip(local, remote, strict=True)), default=0.0)
    bit_equal = all(a.tobytes() == b.tobytes() for a, b in zip(local, remote, strict=True))
    found = {"row": row.id, "dtype": row.dtype, "bit_equal": bit_equal, "error": error}
    for name, value in found.items():
        record_property(name, value)
    assert error <= (_SINGLE if row.dtype == "float32" else CASES[row.case].tolerance)


def _relative_error(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> float:
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    difference = np.max(np.abs(actual[finite] - expected[finite]), initial=0.0)
    return float(difference / scale) if scale else float(difference)
