"""Artifacts that each supported JAX has made, under the one that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from pullback.program.container import JaxExport
from pullback_server.errors import ServiceError

ARTIFACTS = Path(__file__).parent / "artifacts"
W, B = np.arange(6.0).reshape(2, 3) / 10, np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize("version", ["jax-0.10", "jax-0.12"])
def test_network(bench: Any, version: str) -> None:
    """A function of a dict and a keyword, for three platforms, with its VJP."""
    body = JaxExport((ARTIFACTS / f"network-{version}.bin").read_bytes())
    signature = bench.load(body).signature
    assert signature.paths == ("arg0['b']", "arg0['w']", "scale")
    h = np.tanh(W @ B)
    given, loss = bench.evaluate(body, "value", B, W, 3.0)
    np.testing.assert_allclose(given, h, rtol=1e-14)
    np.testing.assert_allclose(loss, 3 * np.sum(h**2), rtol=1e-14)
    jacobian = bench.evaluate(body, "jacobian", B, W, 3.0)
    np.testing.assert_allclose(jacobian[2], 6 * (h * (1 - h**2)) @ W, rtol=1e-13)


@pytest.mark.parametrize("version", ["jax-0.10", "jax-0.12"])
def test_symbolic_sizes_with_two_orders_of_vjps(bench: Any, version: str) -> None:
    """The gradient is the artifact's own, at every size."""
    body = JaxExport((ARTIFACTS / f"steered-{version}.bin").read_bytes())
    if version == "jax-0.12" and jax.version.__version_info__ < (0, 12):
        # Checks of shapes are written with an operation of StableHLO 1.18.
        with pytest.raises(ServiceError, match=r"for StableHLO 1\.18\.0"):
            bench.load(body)
        return
    assert str(bench.load(body).signature.leaves[0]) == "f64[n]"
    for x in (B, np.arange(5.0)):
        np.testing.assert_allclose(bench.evaluate(body, "value", x)[0], np.sum(np.sin(x)), rtol=1e-14)
        np.testing.assert_allclose(bench.evaluate(body, "gradient", x)[0], 5 * x, rtol=1e-14)
        np.testing.assert_allclose(bench.evaluate(body, "hessian", x)[0], 5 * np.eye(len(x)), rtol=1e-14)
