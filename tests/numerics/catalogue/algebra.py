"""Products, decompositions and solutions of linear systems."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import linalg
from numerics.cases import case

_A = [[2.0, 0.3, -0.4], [0.1, 1.5, 0.6], [-0.2, 0.5, 1.8]]
_B = [0.7, -1.1, 0.4]
_TALL = [[1.0, 0.4], [-0.3, 2.0], [0.8, -0.6]]
_IMAGE = np.linspace(-1.0, 1.3, 24).reshape(1, 4, 6, 1) ** 3
_KERNEL = np.linspace(0.4, -0.9, 12).reshape(2, 3, 1, 2)


def _spd(a: jax.Array) -> jax.Array:
    return a @ a.T + 0.5 * jnp.eye(a.shape[0], dtype=a.dtype)


def _max_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") ** 2


def _mean_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 2, 1), "SAME") ** 2


def _convolve(x: jax.Array, k: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, k, (1, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


CASES = [
    case("dot", lambda a, b: (a @ b) @ b, _A, _B),
    case("einsum", lambda a, b: jnp.einsum("ij,jk,k->i", a, a, b), _A, _B, third=False),
    case("outer_kron", lambda b: jnp.sum(jnp.outer(b, b) ** 2) + jnp.kron(b, b)[4] + jnp.vdot(b, b), _B),
    case("batched_matmul", lambda a: jnp.matmul(jnp.stack([a, a.T]), a).sum(0), _A, third=False),
    case("tensordot", lambda a: jnp.tensordot(a, a, [[0], [1]]) ** 2, _A, third=False),
    case("highest_precision", lambda a, b: jnp.dot(a, b, precision=lax.Precision.HIGHEST) ** 2, _A, _B),
    case("solve", lambda a, b: jnp.linalg.solve(a, b) ** 2, _A, _B, third=False),
    case("solve_many", lambda a: jnp.linalg.solve(a, a.T + 1.0), _A, third=False, heavy=True),
    case("inverse", lambda a: jnp.linalg.inv(a) ** 2, _A, third=False, heavy=True),
    case("determinant", jnp.linalg.det, _A),
    case(
        "determinant_4",
        lambda a: jnp.linalg.det(jnp.pad(a, (0, 1)) + jnp.eye(4)),
        _A,
        third=False,
        heavy=True,
    ),
    case("slogdet", lambda a: jnp.linalg.slogdet(a)[1] ** 2, _A, third=False, heavy=True),
    case("matrix_norm", lambda a: jnp.linalg.norm(a) + jnp.trace(a) ** 2, _A, third=False),
    case("cholesky", lambda a: jnp.linalg.cholesky(_spd(a)) ** 2, _A, third=False, heavy=True),
    case(
        "cho_solve",
        lambda a, b: linalg.cho_solve(linalg.cho_factor(_spd(a)), b),
        _A,
        _B,
        third=False,
        heavy=True,
    ),
    case(
        "triangular_solve",
        lambda a, b: linalg.solve_triangular(a, b, lower=True, trans=1) ** 2,
        _A,
        _B,
        third=False,
    ),
    case("lu", lambda a: linalg.lu(a)[2] ** 2 + linalg.lu(a)[1], _A, third=False, heavy=True),
    case("qr", lambda a: jnp.linalg.qr(a)[1] ** 2, _TALL, third=False, tolerance=1e-11),
    case("eigh", lambda a: jnp.linalg.eigh(_spd(a))[0] ** 2, _A, third=False, tolerance=1e-10, heavy=True),
    case("eigvalsh", lambda a: jnp.sum(jnp.linalg.eigvalsh(a + a.T) ** 3), _A, third=False, tolerance=1e-10),
    case(
        "svd_values", lambda a: jnp.linalg.svd(a, compute_uv=False) ** 2, _TALL, third=False, tolerance=1e-10
    ),
    case(
        "svd",
        lambda a: jnp.linalg.svd(a, full_matrices=False)[0] ** 2,
        _TALL,
        third=False,
        tolerance=1e-10,
        heavy=True,
    ),
    case("nuclear_norm", lambda a: jnp.linalg.norm(a, "nuc"), _TALL, third=False, tolerance=1e-10),
    case("pinv", lambda a: jnp.linalg.pinv(a) ** 2, _TALL, third=False, tolerance=1e-10),
    case(
        "lstsq", lambda a, b: jnp.linalg.lstsq(a, b)[0], _TALL, _B, third=False, tolerance=1e-10, heavy=True
    ),
    case("matrix_power", lambda a: jnp.linalg.matrix_power(a, 5), _A, third=False, heavy=True),
    case("expm", lambda a: linalg.expm(0.3 * a), _A, third=False, tolerance=1e-11, heavy=True),
    case(
        "tridiagonal", lambda b: lax.linalg.tridiagonal_solve(b, b + 3.0, b**2, b[:, None]), _B, third=False
    ),
    case("convolution", _convolve, _IMAGE, _KERNEL, third=False),
    case("convolve_1d", lambda b: jnp.convolve(b, b**2), _B),
    case("max_pool", _max_pool, _IMAGE, third=False),
    case("mean_pool", _mean_pool, _IMAGE, third=False),
    case("fft", lambda b: jnp.abs(jnp.fft.fft(b)) ** 2, [0.7, -1.1, 0.9], third=False),
    case("rfft_irfft", lambda b: jnp.fft.irfft(jnp.fft.rfft(b) * 2.0, 3) ** 2, [0.7, -1.1, 0.9], third=False),
    case("complex_arithmetic", lambda b: jnp.abs(jnp.exp(1j * b) + b**2) ** 2, _B),
    case(
        "complex_functions",
        lambda b: jnp.real(jnp.log(b + 2j) * jnp.sqrt(1j + b) / jnp.conj(b - 1j)),
        _B,
        heavy=True,
    ),
    case("complex_angle", lambda b: jnp.angle(b + 0.5j) * jnp.imag((b + 1j) ** 3), _B),
]
