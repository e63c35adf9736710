"""Log-densities, as samplers and optimizers differentiate them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy import special, stats
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_POSITIVE = [0.4, 1.3, 2.6]
_UNIT = [0.21, 0.55, 0.83]
_COVARIANCE = [[1.4, 0.3, 0.1], [0.3, 0.9, -0.2], [0.1, -0.2, 1.1]]


def _mixture(x: jax.Array, means: jax.Array, weights: jax.Array) -> jax.Array:
    logs = jax.nn.log_softmax(weights) + stats.norm.logpdf(x[:, None], means, 0.8)
    return jnp.sum(special.logsumexp(logs, axis=1))


def _hierarchical(theta: jax.Array) -> jax.Array:
    """The eight-schools model's shape: a funnel."""
    effects, mean, log_scale = theta[:3], theta[3], theta[4]
    prior = jnp.sum(stats.norm.logpdf(effects, mean, jnp.exp(log_scale)))
    data = jnp.sum(stats.norm.logpdf(jnp.array([0.5, -0.2, 1.1], theta.dtype), effects, 0.7))
    return prior + data + stats.norm.logpdf(mean) + stats.norm.logpdf(log_scale)


def _hidden_markov(logits: jax.Array) -> jax.Array:
    """The forward algorithm over four observations of two states."""
    transition = jax.nn.log_softmax(logits, axis=1)
    observed = jnp.log(jnp.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.1, 0.9]], logits.dtype))

    def step(forward: jax.Array, emission: jax.Array) -> tuple[jax.Array, None]:
        return special.logsumexp(forward[:, None] + transition, axis=0) + emission, None

    last, _ = jax.lax.scan(step, jnp.full(2, -jnp.log(2.0), logits.dtype), observed)
    return special.logsumexp(last)


CASES = [
    case("normal_logpdf", stats.norm.logpdf, _X, _UNIT, _POSITIVE),
    case("normal_cdf_ratio", lambda x: stats.norm.pdf(x) / stats.norm.cdf(x), _X),
    case(
        "multivariate_normal",
        lambda x, c: stats.multivariate_normal.logpdf(x, jnp.ones(3, x.dtype), c),
        _X,
        _COVARIANCE,
    ),
    case("student_t", stats.t.logpdf, _X, _POSITIVE),
    case("gamma_logpdf", stats.gamma.logpdf, _POSITIVE, _UNIT),
    case("beta_logpdf", stats.beta.logpdf, _UNIT, _POSITIVE, _POSITIVE),
    case(
        "dirichlet_logpdf",
        lambda a: stats.dirichlet.logpdf(jnp.array([0.2, 0.5, 0.3], a.dtype), a),
        _POSITIVE,
    ),
    case("cauchy_logpdf", lambda x, s: stats.cauchy.logpdf(x, 0.1, s), _X, _POSITIVE),
    case("laplace_logpdf", lambda x, s: stats.laplace.logpdf(x, 0.1, s), _X, _POSITIVE),
    case("logistic_logpdf", lambda x: stats.logistic.logpdf(x) + stats.logistic.cdf(x), _X),
    case("poisson_logpmf", lambda mu: stats.poisson.logpmf(jnp.array([0, 2, 5]), mu), _POSITIVE),
    case("bernoulli_logpmf", lambda p: stats.bernoulli.logpmf(jnp.array([0, 1, 1]), p), _UNIT),
    case("binomial_logpmf", lambda p: stats.binom.logpmf(jnp.array([0, 2, 5]), 6, p), _UNIT),
    case("negative_binomial", lambda p: stats.nbinom.logpmf(jnp.array([0, 2, 5]), 3, p), _UNIT),
    case("expon_pareto", lambda x: stats.expon.logpdf(x) + stats.pareto.logpdf(x + 1.0, 1.5), _POSITIVE),
    case("chi2_logpdf", stats.chi2.logpdf, _POSITIVE, _UNIT),
    case("truncated_normal", lambda x: stats.truncnorm.logpdf(x, -2.0, 3.0), _X, third=False, heavy=True),
    case("von_mises", stats.vonmises.logpdf, _X, _POSITIVE, third=False),
    case("gaussian_mixture", _mixture, _X, [-1.0, 1.2], [0.1, -0.3]),
    case("hierarchical_model", _hierarchical, [0.2, -0.4, 0.9, 0.1, -0.3]),
    case("hidden_markov_model", _hidden_markov, [[0.4, -0.2], [0.1, 0.8]]),
    case(
        "kernel_density",
        lambda x: stats.gaussian_kde(jnp.array([0.1, 0.9, -0.4, 1.7], x.dtype)).logpdf(x),
        _X,
    ),
]
