"""Finite differences in many steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pullback.checking.differences import extrapolate

STEPS = 0.125 * 2.0 ** -np.arange(18)


@pytest.mark.parametrize(
    ("function", "point", "slope"),
    [
        pytest.param(np.exp, 1.0, np.e, id="exp"),
        pytest.param(np.log, 0.3, 1 / 0.3, id="log"),
        pytest.param(lambda x: np.sin(40 * x), 0.2, 40 * np.cos(8.0), id="fast"),
        pytest.param(lambda x: x**3, 0.0, 0.0, id="flat"),
        pytest.param(lambda x: 1 / (x + 1e-2), 0.0, -1e4, id="near a pole"),
    ],
)
def test_extrapolation(function: Callable[[Any], Any], point: float, slope: float) -> None:
    """Ten digits and more, and an estimate of the error that holds and is small."""
    ahead, behind = function(point + STEPS), function(point - STEPS)
    central = (ahead - behind) / (2 * STEPS)
    roundoff = 2.0**-52 * np.maximum(np.abs(ahead), np.abs(behind)) / STEPS
    found, error = extrapolate(central[:, None], roundoff[:, None])
    assert abs(found[0] - slope) <= 10 * error[0]
    assert error[0] <= 1e-7 * max(abs(slope), 1.0)


def test_steps_beyond_a_domain_do_not_count() -> None:
    """Where large steps leave a function's domain, small ones are taken."""
    with np.errstate(invalid="ignore"):
        central = (np.log(0.01 + STEPS) - np.log(0.01 - STEPS)) / (2 * STEPS)
    assert np.isnan(central[0])
    found, error = extrapolate(central[:, None], np.full((18, 1), 1e-12))
    assert found[0] == pytest.approx(100, rel=1e-9)
    assert np.isfinite(error[0])
