"""Functions that portable StableHLO takes apart into parts without the derivatives of the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.agreement import bit_equal, disagreement
from conformance.exports import pulled, pushed, serve_exported
from jax import lax

_X = np.array([0.0, 0.3, -0.999, 0.75, 2.5])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "function",
    [
        lax.erf_inv,
        lax.lgamma,
        lambda x: lax.digamma(x + 1),
        lambda x: jax.scipy.special.betaln(jnp.abs(x) + 1, 2.0),
        lambda x: lax.fori_loop(0, 2, lambda _, y: y + lax.erf_inv(x) + lax.lgamma(x + 3), x),
    ],
)
def test_their_derivatives_are_those_of_the_whole(function: Callable[[Any], Any], dtype: str) -> None:
    """In both modes, also where parts that are not taken have infinite derivatives."""

    def flat(x: Any) -> list[Any]:
        return [function(x)]

    x, ones = _X.astype(dtype), [np.ones(5, dtype)]
    served = serve_exported(flat, [x])
    assert not disagreement(pushed(served.forward, [x], ones), pushed(flat, [x], ones))
    assert not disagreement(pulled(served.reverse, [x], ones), pulled(flat, [x], ones))


def test_the_inverse_error_function_is_exact() -> None:
    """What is recognised is JAX's own operation, so that derivatives are equal bit for bit."""
    served, ones = serve_exported(lambda x: [lax.erf_inv(x)], [_X]), [np.ones(5)]
    assert "erf_inv" in str(jax.make_jaxpr(served.forward)(_X))
    assert bit_equal(pulled(served.reverse, [_X], ones), pulled(lambda x: [lax.erf_inv(x)], [_X], ones))


def test_what_only_looks_like_it_stays_as_it_is() -> None:
    """A product with infinity where the modulus is 1, and another function elsewhere."""

    def function(x: Any) -> list[Any]:
        return [jnp.where(jnp.abs(x) == 1, x * jnp.inf, 3 * x)]

    x = np.array([1.0, -1.0, 0.5])
    served = serve_exported(function, [x])
    np.testing.assert_array_equal(served.forward(x)[0], [np.inf, -np.inf, 1.5])
    assert "erf_inv" not in str(jax.make_jaxpr(served.forward)(x))
