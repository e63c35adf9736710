"""`jax.random`, exported plainly and lifted: the same numbers, and the same derivatives by parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.agreement import bit_equal, disagreement
from conformance.exports import directions, pulled, pushed, serve_exported
from jax import random

pytestmark = pytest.mark.slow

_SHAPE: Final = (3, 2)
_MATRIX: Final = np.array([[2.0, 0.3], [0.3, 1.0]])
_PROBABILITIES: Final = np.array([0.2, 0.5, 0.3])
_SAMPLERS: Final[dict[str, Callable[[Any], Any]]] = {
    "ball": lambda key: random.ball(key, 2, shape=(3,)),
    "bernoulli": lambda key: random.bernoulli(key, 0.3, _SHAPE),
    "beta": lambda key: random.beta(key, 1.5, 0.7, _SHAPE),
    "binomial": lambda key: random.binomial(key, 9.0, 0.3, _SHAPE),
    "bits": lambda key: random.bits(key, _SHAPE, jnp.uint16),
    "categorical": lambda key: random.categorical(key, jnp.log(_PROBABILITIES), shape=_SHAPE),
    "cauchy": lambda key: random.cauchy(key, _SHAPE),
    "chisquare": lambda key: random.chisquare(key, 3.0, shape=_SHAPE),
    "choice": lambda key: random.choice(key, 9, _SHAPE, replace=False),
    "choice of probabilities": lambda key: random.choice(key, 3, _SHAPE, p=_PROBABILITIES),
    "dirichlet": lambda key: random.dirichlet(key, _PROBABILITIES, (2,)),
    "double sided maxwell": lambda key: random.double_sided_maxwell(key, 0.5, 2.0, _SHAPE),
    "exponential": lambda key: random.exponential(key, _SHAPE, jnp.float32),
    "f": lambda key: random.f(key, 3.0, 5.0, shape=_SHAPE),
    "fold in": lambda key: random.fold_in(key, 7),
    "gamma": lambda key: random.gamma(key, 1.5, _SHAPE),
    "generalized normal": lambda key: random.generalized_normal(key, 1.5, _SHAPE),
    "geometric": lambda key: random.geometric(key, 0.3, _SHAPE),
    "gumbel": lambda key: random.gumbel(key, _SHAPE),
    "laplace": lambda key: random.laplace(key, _SHAPE),
    "loggamma": lambda key: random.loggamma(key, 0.5, _SHAPE),
    "logistic": lambda key: random.logistic(key, _SHAPE),
    "lognormal": lambda key: random.lognormal(key, 0.5, _SHAPE),
    "maxwell": lambda key: random.maxwell(key, _SHAPE),
    "multinomial": lambda key: random.multinomial(key, 9.0, _PROBABILITIES),
    "multivariate normal": lambda key: random.multivariate_normal(key, jnp.zeros(2), _MATRIX, (3,)),
    "normal": lambda key: random.normal(key, _SHAPE),
    "normal, complex": lambda key: random.normal(key, _SHAPE, jnp.complex64),
    "normal, half": lambda key: random.normal(key, _SHAPE, jnp.bfloat16),
    "orthogonal": lambda key: random.orthogonal(key, 3),
    "pareto": lambda key: random.pareto(key, 1.5, _SHAPE),
    "permutation": lambda key: random.permutation(key, 9),
    "poisson": lambda key: random.poisson(key, 3.5, _SHAPE),
    "poisson, large": lambda key: random.poisson(key, 35.0, _SHAPE),
    "rademacher": lambda key: random.rademacher(key, _SHAPE),
    "randint": lambda key: random.randint(key, _SHAPE, -5, 17),
    "rayleigh": lambda key: random.rayleigh(key, 1.5, _SHAPE),
    "split": lambda key: random.split(key, 3),
    "t": lambda key: random.t(key, 3.0, _SHAPE),
    "triangular": lambda key: random.triangular(key, -1.0, 0.5, 2.0, _SHAPE),
    "truncated normal": lambda key: random.truncated_normal(key, -1.0, 0.5, _SHAPE),
    "uniform": lambda key: random.uniform(key, _SHAPE),
    "wald": lambda key: random.wald(key, 1.5, _SHAPE),
    "weibull": lambda key: random.weibull_min(key, 1.5, 0.7, _SHAPE),
}
_PARAMETERS: Final[dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "normal": (lambda key, m, s: m + s * random.normal(key, _SHAPE, m.dtype), (0.5, 1.5)),
    "uniform": (lambda key, low, high: random.uniform(key, _SHAPE, low.dtype, low, high), (-0.5, 1.5)),
    "truncated normal": (
        lambda key, low, high: random.truncated_normal(key, low, high, _SHAPE, low.dtype),
        (-0.5, 1.5),
    ),
    "triangular": (lambda key, *at: random.triangular(key, *at, _SHAPE, at[0].dtype), (-0.5, 0.25, 1.5)),
    "pareto": (lambda key, b: random.pareto(key, b, _SHAPE, b.dtype), (1.5,)),
    "weibull": (lambda key, *by: random.weibull_min(key, *by, _SHAPE, by[0].dtype), (1.5, 0.7)),
    "rayleigh": (lambda key, scale: random.rayleigh(key, scale, _SHAPE, scale.dtype), (1.5,)),
    "multivariate normal": (
        lambda key, m, c: random.multivariate_normal(key, m, c, (3,), m.dtype),
        (np.array([0.5, -1.0]), _MATRIX),
    ),
}


# Each draws from the gamma distribution and does some arithmetic; all take long to compile.
_MADE_OF_GAMMA: Final = {"ball", "beta", "chisquare", "f", "generalized normal", "t"}


def _speed(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.exhaustive] if name in _MADE_OF_GAMMA else []


@pytest.mark.parametrize(
    ("name", "implementation"),
    [
        *(pytest.param(name, "threefry2x32", marks=_speed(name)) for name in _SAMPLERS),
        *((name, "rbg") for name in ("bits", "normal", "randint", "split")),
    ],
)
def test_a_sampler_draws_the_same_numbers(name: str, implementation: str) -> None:
    """Bit for bit, from keys as arguments."""

    def draw(key: Any) -> list[Any]:
        return [_SAMPLERS[name](key)]

    key = random.key(7, impl=implementation)
    served = serve_exported(draw, [key])
    assert bit_equal(jax.jit(served.forward)(key), jax.jit(draw)(key))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", _PARAMETERS)
def test_a_sampler_is_differentiated_by_its_parameters(name: str, dtype: str) -> None:
    """In both modes, where the sampler is a smooth function of its parameters."""
    function, values = _PARAMETERS[name]
    leaves = [random.key(7), *(np.asarray(value, dtype) for value in values)]

    def draw(*flat: Any) -> list[Any]:
        return [function(*flat)]

    served = serve_exported(draw, leaves)
    tangents, cotangents = directions(leaves, 1), directions(jax.jit(draw)(*leaves), 2)
    assert not disagreement(pushed(served.forward, leaves, tangents), pushed(draw, leaves, tangents))
    assert not disagreement(pulled(served.reverse, leaves, cotangents), pulled(draw, leaves, cotangents))
