"""The functions of the demo: plain JAX, as a user would write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import log_sigmoid, softplus

from pullback.demo.data import HARES, LYNXES, Classification, Regression

Array = jax.Array
Parameters = dict[str, Array]


def sin_cos(x: Array) -> Array:
    """sin(x) cos(x), for x f64[]: the first example of every tutorial; its derivative is cos(2x)."""
    return jnp.sin(x) * jnp.cos(x)


def rosenbrock(x: Array) -> Array:
    """The chained Rosenbrock function, for x f64[n].

    Source: H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a
    function", The Computer Journal 3 (1960).
    """
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def logistic_posterior(data: Classification) -> Callable[[Array], Array]:
    """The log posterior of a logistic regression with standard normal priors.

    Args:
        data: n cases of d standardised features, and their classes.

    Returns:
        A function of f64[d + 1], the intercept and the weights, to f64[].
    """
    features, classes = jnp.asarray(data.features), jnp.asarray(data.classes)

    def log_posterior(weights: Array) -> Array:
        logits = weights[0] + features @ weights[1:]
        log_likelihood = jnp.sum(classes * log_sigmoid(logits) + (1.0 - classes) * log_sigmoid(-logits))
        return log_likelihood - 0.5 * jnp.sum(weights**2)

    return log_posterior


def gaussian_process(data: Regression) -> Callable[[Array], Array]:
    """The log marginal likelihood of a Gaussian process with a squared-exponential kernel.

    Args:
        data: n inputs and n targets, both standardised.

    Returns:
        A function of f64[3], the logarithms of amplitude, length scale and noise, to f64[].

    Source: C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning" (2006),
    algorithm 2.1.
    """
    inputs, targets = jnp.asarray(data.inputs), jnp.asarray(data.targets)
    squared_distances = (inputs[:, None] - inputs[None, :]) ** 2

    def log_marginal_likelihood(log_parameters: Array) -> Array:
        amplitude, length, noise = jnp.exp(log_parameters)
        kernel = amplitude**2 * jnp.exp(-0.5 * squared_distances / length**2)
        factor = jnp.linalg.cholesky(kernel + noise**2 * jnp.eye(inputs.size))
        whitened = jax.scipy.linalg.solve_triangular(factor, targets, lower=True)
        log_determinant = 2.0 * jnp.sum(jnp.log(jnp.diagonal(factor)))
        return -0.5 * (whitened @ whitened + log_determinant + inputs.size * jnp.log(2.0 * jnp.pi))

    return log_marginal_likelihood


def lotka_volterra_residuals(log_parameters: Array) -> Array:
    """How far the Lotka-Volterra equations miss the counts of hares and lynxes, on a log scale.

    Args:
        log_parameters: f64[4], the logarithms of the hares' birth rate, the rate of being eaten, the
            lynxes' death rate and their rate of feeding.

    Returns:
        f64[40]: a residual for each year after the first and each species.
    """
    hares, lynxes = jnp.asarray(HARES), jnp.asarray(LYNXES)
    start = jnp.stack([hares[0], lynxes[0]])
    year = partial(_runge_kutta_year, jnp.exp(log_parameters))
    _, populations = lax.scan(year, start, None, length=len(HARES) - 1)
    counts = jnp.stack([hares[1:], lynxes[1:]], axis=1)
    return (jnp.log(populations) - jnp.log(counts)).ravel()


def lotka_volterra_fit(log_parameters: Array) -> Array:
    """The sum of the squared `lotka_volterra_residuals`: f64[4] to f64[]."""
    return jnp.sum(lotka_volterra_residuals(log_parameters) ** 2)


def neural_network_loss(data: Classification) -> Callable[[Parameters], Array]:
    """The cross-entropy of a network with one hidden layer of softplus units.

    Args:
        data: n cases of d standardised features, and their classes.

    Returns:
        A function of {"hidden": f64[d, h], "bias": f64[h], "output": f64[h]} to f64[].
    """
    features, signs = jnp.asarray(data.features), jnp.asarray(2.0 * data.classes - 1.0)

    def loss(parameters: Parameters) -> Array:
        hidden = softplus(features @ parameters["hidden"] + parameters["bias"])
        return jnp.mean(softplus(-signs * (hidden @ parameters["output"])))

    return loss


_STEPS_A_YEAR = 10


def _runge_kutta_year(rates: Array, populations: Array, _: Any) -> tuple[Array, Array]:
    after, _ = lax.scan(partial(_runge_kutta_step, rates), populations, None, length=_STEPS_A_YEAR)
    return after, after


def _runge_kutta_step(rates: Array, state: Array, _: Any) -> tuple[Array, None]:
    step = 1.0 / _STEPS_A_YEAR
    k1 = _growth(rates, state)
    k2 = _growth(rates, state + 0.5 * step * k1)
    k3 = _growth(rates, state + 0.5 * step * k2)
    k4 = _growth(rates, state + step * k3)
    return state + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), None


def _growth(rates: Array, state: Array) -> Array:
    birth, eaten, death, feeding = rates
    hares, lynxes = state
    return jnp.stack([(birth - eaten * lynxes) * hares, (feeding * hares - death) * lynxes])
