"""Ten functions to differentiate natively and lifted, each with an example and points around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import cho_solve, solve_triangular
from jax.scipy.special import logsumexp

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A function of one array.

    Attributes:
        function: From an array to a scalar.
        shape: The shape of the array.
        batch: How many points its gradient is taken at.
    """

    function: Callable[[Any], Any]
    shape: tuple[int, ...]
    batch: int

    def points(self) -> Floats:
        """Points, the same each time."""
        draws = np.random.default_rng(0).normal(size=(self.batch, *self.shape))
        return 0.5 * draws


def _recurrent(xs: Any, weights: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        state = jnp.tanh(weights @ state + x)
        return state, jnp.sum(state**2)

    state, sums = lax.scan(step, jnp.zeros(xs.shape[1]), xs)
    return jnp.sum(state) + jnp.mean(sums)


def _convolutional(image: Any, kernels: Any) -> Any:
    layer = partial(lax.conv_general_dilated, window_strides=(1, 1), padding="SAME")
    hidden = jax.nn.relu(layer(image[None, None], kernels[0]))
    hidden = lax.reduce_window(hidden, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return jnp.mean(layer(hidden, kernels[1]) ** 2)


def _products(matrix: Any) -> Any:
    return jnp.sum(jnp.sin(matrix @ matrix.T) @ matrix)


def _log_determinant(matrix: Any) -> Any:
    factor = jnp.linalg.cholesky(matrix @ matrix.T + matrix.shape[0] * jnp.eye(matrix.shape[0]))
    return 2.0 * jnp.sum(jnp.log(jnp.diag(factor)))


def _perceptron(flat: Any, inputs: Any, targets: Any) -> Any:
    first, second = flat[:512].reshape(8, 64), flat[512:].reshape(64, 1)
    return jnp.mean((jax.nn.gelu(inputs @ first) @ second - targets) ** 2)


def _gaussian_process(theta: Any, xs: Any, ys: Any) -> Any:
    scale, width, noise = jnp.exp(theta)
    kernel = scale * jnp.exp(-0.5 * (xs[:, None] - xs) ** 2 / width) + noise * jnp.eye(xs.size)
    factor = jnp.linalg.cholesky(kernel)
    weights = cho_solve((factor, True), ys)
    whitened = solve_triangular(factor, ys, lower=True)
    return 0.5 * ys @ weights + 0.1 * whitened @ whitened + jnp.sum(jnp.log(jnp.diag(factor)))


def _classification(weights: Any, inputs: Any, labels: Any) -> Any:
    logits = inputs @ weights
    return jnp.mean(logsumexp(logits, axis=1) - jnp.take_along_axis(logits, labels[:, None], 1)[:, 0])


def _spectrum(signal: Any) -> Any:
    return jnp.sum(jnp.log1p(jnp.abs(jnp.fft.rfft(signal)) ** 2))


def _order_statistics(values: Any) -> Any:
    return jnp.sum(jnp.sort(values) * jnp.linspace(-1.0, 1.0, values.size))


def _rosenbrock(x: Any) -> Any:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def subjects() -> Mapping[str, Subject]:
    """The functions by name; what they close over is drawn here."""
    draw = np.random.default_rng(1).normal
    rows, labels = draw(size=(256, 8)), np.arange(256) % 4
    line, wave = np.linspace(0, 5, 48), np.sin(np.linspace(0, 5, 48))
    kernels = 0.3 * draw(size=(8, 1, 3, 3)), 0.3 * draw(size=(4, 8, 3, 3))
    return {
        "scan": Subject(partial(_recurrent, weights=0.2 * draw(size=(32, 32))), (100, 32), 32),
        "convolution": Subject(partial(_convolutional, kernels=kernels), (32, 32), 16),
        "matmul": Subject(_products, (64, 64), 64),
        "cholesky": Subject(_log_determinant, (32, 32), 64),
        "MLP": Subject(partial(_perceptron, inputs=rows, targets=rows[:, :1]), (576,), 16),
        "GP likelihood": Subject(partial(_gaussian_process, xs=line, ys=wave), (3,), 32),
        "logsumexp": Subject(partial(_classification, inputs=rows, labels=labels), (8, 4), 256),
        "FFT": Subject(_spectrum, (1024,), 256),
        "sort": Subject(_order_statistics, (512,), 256),
        "Rosenbrock": Subject(_rosenbrock, (64,), 10_000),
    }
