"""Special functions."""

from __future__ import annotations

from typing import Final

from jax.scipy import special

from pullback_server.compute.formats.formula.functions.entry import binary, unary

SPECIAL: Final = (
    unary("erf", special.erf, "jax.scipy.special.erf", "error function"),
    unary("erfc", special.erfc, "jax.scipy.special.erfc", "1 - erf(x)"),
    unary("erfinv", special.erfinv, "jax.scipy.special.erfinv", "inverse error function"),
    unary("gamma", special.gamma, "jax.scipy.special.gamma", "gamma function"),
    unary("lgamma", special.gammaln, "jax.scipy.special.gammaln", "log(abs(gamma(x)))", "gammaln"),
    unary("digamma", special.digamma, "jax.scipy.special.digamma", "derivative of lgamma"),
    binary(
        "gammainc",
        special.gammainc,
        "jax.scipy.special.gammainc",
        "lower incomplete gamma, regularized; no second derivative in a",
    ),
    binary(
        "gammaincc",
        special.gammaincc,
        "jax.scipy.special.gammaincc",
        "upper incomplete gamma, regularized; no second derivative in a",
    ),
    binary("betaln", special.betaln, "jax.scipy.special.betaln", "log of the beta function"),
    binary("xlogy", special.xlogy, "jax.scipy.special.xlogy", "a * log(b), 0 where a is 0"),
)
