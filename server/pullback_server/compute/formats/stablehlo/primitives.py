"""JAX's elementwise functions beyond StableHLO's own, by the name of their primitive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax


def _one_minus_square(x: jax.Array) -> jax.Array:
    return lax.mul(lax.sub(lax.full_like(x, 1), x), lax.add(lax.full_like(x, 1), x))


def _polynomial(x: jax.Array, *coefficients: jax.Array) -> jax.Array:
    """Horner's scheme, from the coefficient of the lowest degree to that of the highest."""
    *others, value = (jnp.broadcast_to(coefficient, x.shape) for coefficient in coefficients)
    for coefficient in reversed(others):
        value = lax.add(lax.mul(value, x), coefficient)
    return value


def _new_polynomial(x: jax.Array, *coefficients: jax.Array) -> jax.Array:
    evaluate: Callable[..., jax.Array] = getattr(lax, "polynomial")  # noqa: B009 -- newer JAX only
    return evaluate(x, coefficients)


ELEMENTWISE: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": lax.abs,
    "acos": lax.acos,
    "acosh": lax.acosh,
    "asin": lax.asin,
    "asinh": lax.asinh,
    "atan": lax.atan,
    "atanh": lax.atanh,
    "bessel_i0e": lax.bessel_i0e,
    "bessel_i1e": lax.bessel_i1e,
    "conj": lax.conj,
    "cos": lax.cos,
    "cosh": lax.cosh,
    "digamma": lax.digamma,
    "erf": lax.erf,
    "erf_inv": lax.erf_inv,
    "erfc": lax.erfc,
    "exp2": lax.exp2,
    "igamma": lax.igamma,
    "igamma_grad_a": lax.igamma_grad_a,
    "igammac": lax.igammac,
    "lgamma": lax.lgamma,
    # Primitives of newer JAX versions only; a program made there is read here all the same.
    "log2": getattr(lax, "log2", jnp.log2),
    "one_minus_square": getattr(lax, "one_minus_square", _one_minus_square),
    "logistic": lax.logistic,
    "nextafter": lax.nextafter,
    "polygamma": lax.polygamma,
    "polynomial": _new_polynomial if hasattr(lax, "polynomial") else _polynomial,
    "pow": lax.pow,
    "regularized_incomplete_beta": lax.betainc,
    "sin": lax.sin,
    "sinh": lax.sinh,
    "square": lax.square,
    "stop_gradient": lax.stop_gradient,
    "tan": lax.tan,
    "zeta": lax.zeta,
}
