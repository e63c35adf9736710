"""Models of science and engineering: mechanics, differential equations, geometry, signals."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_POSITIVE = [0.4, 1.3, 2.6]
_ATOMS = [[0.0, 0.1, 0.2], [1.1, -0.2, 0.1], [0.3, 1.2, -0.4], [-0.5, 0.4, 1.3]]
_SIGNAL = np.sin(np.arange(8.0)) + 0.3 * np.cos(3 * np.arange(8.0))


def _lennard_jones(x: jax.Array) -> jax.Array:
    i, j = np.triu_indices(len(_ATOMS), 1)
    inverse = 1.0 / jnp.sum((x[i] - x[j]) ** 2, axis=1) ** 3
    return 4.0 * jnp.sum(inverse**2 - inverse)


def _heat(x: jax.Array) -> jax.Array:
    """Ten explicit steps of the heat equation on a ring."""
    return lax.fori_loop(0, 10, lambda _, u: u + 0.1 * (jnp.roll(u, 1) + jnp.roll(u, -1) - 2 * u), x)


def _burgers(x: jax.Array) -> jax.Array:
    def step(u: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        u = u - 0.05 * u * (u - jnp.roll(u, 1))
        return u, jnp.sum(u**2)

    return lax.scan(step, x, None, length=6)[1]


def _leapfrog(x: jax.Array) -> jax.Array:
    def force(q: jax.Array) -> jax.Array:
        return -jax.grad(lambda p: jnp.sum(1 - jnp.cos(p)) + 0.1 * jnp.sum(p[1:] * p[:-1]))(q)

    def step(state: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], None]:
        q, p = state
        p = p + 0.05 * force(q)
        q = q + 0.1 * p
        return (q, p + 0.05 * force(q)), None

    return lax.scan(step, (x, jnp.zeros_like(x)), None, length=5)[0][0]


def _kalman(observations: jax.Array) -> jax.Array:
    """The negative log-likelihood of a random walk seen through noise."""

    def step(
        state: tuple[jax.Array, jax.Array], y: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        mean, variance = state
        variance = variance + 0.2
        innovation, spread = y - mean, variance + 0.5
        gain = variance / spread
        loss = 0.5 * (jnp.log(2 * jnp.pi * spread) + innovation**2 / spread)
        return (mean + gain * innovation, (1 - gain) * variance), loss

    zero, one = jnp.zeros((), observations.dtype), jnp.ones((), observations.dtype)
    return jnp.sum(lax.scan(step, (zero, one), observations)[1])


def _rotation(v: jax.Array) -> jax.Array:
    """Rodrigues' formula."""
    angle = jnp.linalg.norm(v)
    axis = v / angle
    cross = jnp.cross(jnp.eye(3, dtype=v.dtype), axis)
    return jnp.eye(3, dtype=v.dtype) + jnp.sin(angle) * cross + (1 - jnp.cos(angle)) * cross @ cross


def _newton_root(x: jax.Array) -> jax.Array:
    return lax.fori_loop(0, 6, lambda _, y: y - (y**3 - x) / (3 * y**2), 1.0 + x)


def _tridiagonal(d: jax.Array) -> jax.Array:
    lower = jnp.array([0.0, 0.3, -0.2], d.dtype)
    upper = jnp.array([0.4, 0.1, 0.0], d.dtype)
    return lax.linalg.tridiagonal_solve(lower, d + 2.0, upper, jnp.ones((3, 1), d.dtype))


CASES = [
    case("lennard_jones", _lennard_jones, _ATOMS, third=False),
    case("heat_equation", _heat, _SIGNAL),
    case("burgers_equation", _burgers, _SIGNAL),
    case("leapfrog", _leapfrog, _X, third=False),
    case("kalman_filter", _kalman, _SIGNAL),
    case("rotation", _rotation, _X),
    case("newton_iteration", _newton_root, _POSITIVE),
    case("tridiagonal_solve", _tridiagonal, _X),
    case("power_spectrum", lambda x: jnp.abs(jnp.fft.fft(x)) ** 2, _SIGNAL),
    case(
        "spectral_derivative",
        lambda x: jnp.fft.ifft(1j * jnp.fft.fftfreq(8) * jnp.fft.fft(x)).real * x,
        _SIGNAL,
    ),
    case("fft_2d", lambda x: jnp.fft.irfft2(jnp.fft.rfft2(x) ** 2, x.shape), _ATOMS, third=False),
    case("autocorrelation", lambda x: jnp.correlate(x, x, mode="same"), _SIGNAL, third=False),
    case("ising_energy", lambda x: -jnp.sum(jnp.tanh(x) * jnp.roll(jnp.tanh(x), 1)), _X),
    case(
        "beale",
        lambda x: (1.5 - x[0] + x[0] * x[1]) ** 2 + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2,
        [0.8, -0.4],
    ),
    case(
        "ackley",
        lambda x: -20 * jnp.exp(-0.2 * jnp.sqrt(jnp.mean(x**2))) - jnp.exp(jnp.mean(jnp.cos(2 * jnp.pi * x))),
        _X,
    ),
    case("rastrigin", lambda x: jnp.sum(x**2 - 10 * jnp.cos(2 * jnp.pi * x) + 10), _X),
    case("himmelblau", lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2, [0.8, -0.4]),
    case(
        "black_scholes",
        lambda s: s * jax.scipy.stats.norm.cdf(jnp.log(s) + 0.5) - jax.scipy.stats.norm.cdf(jnp.log(s)),
        _POSITIVE,
    ),
    case("trapezoid", lambda x: jnp.trapezoid(jnp.sin(x), dx=0.3) + jnp.sum(jnp.cumsum(x) ** 2), _SIGNAL),
    case(
        "legendre_recurrence",
        lambda x: x * (1.5 * x**2 - 0.5) - 0.5 * (3 * x * (1.5 * x**2 - 0.5) - 2 * x) / 3,
        _X,
    ),
    case(
        "spherical_coordinates",
        lambda x: jnp.stack(
            [jnp.linalg.norm(x), jnp.arccos(x[2] / jnp.linalg.norm(x)), jnp.arctan2(x[1], x[0])]
        ),
        _X,
    ),
    case(
        "determinant_of_gram",
        lambda x: jnp.linalg.slogdet(x @ x.T + jnp.eye(4, dtype=x.dtype))[1],
        _ATOMS,
        third=False,
    ),
]
