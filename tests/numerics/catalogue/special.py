"""Special functions, each by itself, with respect to all their arguments that JAX differentiates."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jax.scipy import special
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_POSITIVE = [0.4, 1.3, 2.6]
_UNIT = [0.21, 0.55, 0.83]

CASES = [
    case("erf", special.erf, _X),
    case("erfc", special.erfc, _X),
    case("erfinv", special.erfinv, _UNIT),
    case("erfcx_by_hand", lambda x: jnp.exp(x**2) * special.erfc(x), _X),
    case("gammaln", special.gammaln, _POSITIVE),
    case("gamma", special.gamma, _POSITIVE),
    case("loggamma_difference", special.betaln, _POSITIVE, _UNIT),
    case("digamma", special.digamma, _POSITIVE),
    case("trigamma", lambda x: special.polygamma(1, x), _POSITIVE, third=False),
    case("zeta", lambda x: special.zeta(2.5, x), _POSITIVE, third=False),
    case("i0", special.i0, _POSITIVE, third=False),
    case("i0e", special.i0e, _POSITIVE),
    case("i1e", special.i1e, _POSITIVE),
    case("ndtri", special.ndtri, _UNIT, third=False),
    case("log_ndtr", special.log_ndtr, _X, third=False),
    case("expit_logit", lambda x: special.logit(special.expit(x)) * special.expit(2 * x), _X),
    case("xlog1py", special.xlog1py, _POSITIVE, _UNIT),
    case("xlogy", special.xlogy, _POSITIVE, _UNIT),
    case("rel_entr", special.rel_entr, _UNIT, _POSITIVE),
    case("kl_div", special.kl_div, _UNIT, _POSITIVE),
    case("multigammaln", lambda x: special.multigammaln(x + 2.0, 3), _POSITIVE),
    case("factorial", special.factorial, _POSITIVE),
    case("spence", special.spence, _POSITIVE, third=False),
    case("gammainc_in_x", lambda x: special.gammainc(1.5, x), _POSITIVE, third=False),
    case("gammainc_in_a", lambda a: lax.igamma(a, jnp.ones_like(a)), _POSITIVE, third=False, heavy=True),
    case("betainc_in_x", lambda x: special.betainc(0.7, 1.9, x), _UNIT, third=False),
    case("bessel_jn", lambda x: special.bessel_jn(x, v=2, n_iter=30)[-1], _POSITIVE, third=False, heavy=True),
    case("log1p_expm1", lambda x: jnp.log1p(x**2) * jnp.expm1(-x), _X),
    case("logsumexp_signed", lambda x: special.logsumexp(x, b=jnp.array([1.0, 2.0, -0.1])), _X),
    case("softmax_temperature", lambda x, t: special.softmax(x / t[0]), _X, [1.7]),
    case("hyp1f1", lambda x: special.hyp1f1(0.5, 1.5, x), _UNIT, third=False, heavy=True),
]
