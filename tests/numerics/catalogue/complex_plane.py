"""Complex functions of complex arguments; their gradients are those of JAX's conventions."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from numerics.cases import complex_case

_Z = [0.3 + 0.4j, -0.7 + 0.2j, 1.1 - 0.9j]
_MATRIX = [[2.0 + 0.1j, 0.3 - 0.2j, 0.1j], [0.4 + 0.5j, 1.7 - 0.3j, 0.2], [-0.1, 0.3j, 1.5 + 0.4j]]

CASES = [
    complex_case("complex_exp_log", lambda z: jnp.exp(z) * jnp.log(z), _Z),
    complex_case("complex_trigonometric", lambda z: jnp.sin(z) + jnp.cos(z) * jnp.tan(0.3 * z), _Z),
    complex_case("complex_hyperbolic", lambda z: jnp.sinh(z) + jnp.tanh(z) * jnp.cosh(z), _Z),
    complex_case("complex_inverse", lambda z: jnp.arctan(z) + jnp.arcsinh(z), _Z),
    complex_case("complex_powers", lambda z: z**3 + jnp.sqrt(z) + 1 / z, _Z),
    complex_case("complex_conjugate", lambda z: z * jnp.conj(z) + jnp.conj(z) ** 2, _Z),
    complex_case("complex_parts", lambda z: jnp.abs(z) * jnp.angle(z) + jnp.real(z) * 1j, _Z),
    complex_case("complex_matrix_product", lambda a, z: a @ z + a.T.conj() @ z, _MATRIX, _Z),
    complex_case("complex_solve", jnp.linalg.solve, _MATRIX, _Z),
    complex_case("complex_cholesky", lambda a: jnp.linalg.cholesky(a @ a.T.conj()), _MATRIX),
    complex_case("complex_fft", lambda z: jnp.fft.fft(z) * jnp.fft.ifft(z**2), _Z),
    complex_case("complex_scan", lambda z: lax.scan(lambda c, x: (c * x + 0.5, c), z[0], z)[1], _Z),
]
