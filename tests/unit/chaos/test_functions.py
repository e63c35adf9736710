"""The closed forms are JAX's derivatives, and an answer that is off is not right."""

from __future__ import annotations

import numpy as np
import pytest

from chaos import agreement
from chaos.agreement import disagreements
from chaos.functions import right, wave_gradient


def test_closed_forms() -> None:
    """They agree with local JAX, for the factor of each tenant."""
    assert disagreements([0.75, 3.75]) == []


def test_a_wrong_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not agree is named."""
    monkeypatch.setattr(agreement, "wave_gradient", lambda x, y, factor: wave_gradient(x, y, factor) + 1e-9)
    assert set(disagreements([1.75])) == {"the closed form of a wave's gradient is not JAX's"}


def test_right() -> None:
    """The shape counts, and every number; a NaN is wrong."""
    expected = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert right(expected + 1e-13, expected)
    assert right(np.zeros((0, 6)), np.zeros((0, 6)))
    assert not right(expected[0], expected)
    for wrong in (1e-9, np.nan):
        off = expected.copy()
        off[1, 2] += wrong
        assert not right(off, expected)
