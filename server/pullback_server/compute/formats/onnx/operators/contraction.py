"""Products of matrices, and what else linear algebra ONNX has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.elementwise import binary, unary

_AXIS_IS_INPUT: Final = 20


def _gemm(call: Call) -> jax.Array:
    a, b, c = call.array(0), call.array(1), call.optional(2)
    a = a.T if call.attribute("transA", 0) else a
    b = b.T if call.attribute("transB", 0) else b
    product = _scaled(jnp.matmul(a, b), call.attribute("alpha", 1.0))
    return product if c is None else product + _scaled(c, call.attribute("beta", 1.0))


def _scaled(x: jax.Array, factor: float) -> jax.Array:
    return x if factor == 1 else (factor * x).astype(x.dtype)


def _einsum(call: Call) -> jax.Array:
    product: jax.Array = jnp.einsum(call.attribute("equation"), *call.arrays())
    return product


def _dft(call: Call) -> jax.Array:
    """The discrete Fourier transform; complex numbers are pairs along the last axis."""
    x = call.array(0)
    length = call.integers(1, "the length")[0] if call.has(1) else None
    axis = _dft_axis(call, x.ndim)
    inverse, one_sided = bool(call.attribute("inverse", 0)), bool(call.attribute("onesided", 0))
    if inverse and one_sided:
        spectrum = jax.lax.complex(x[..., 0], x[..., 1])
        return jnp.fft.irfft(spectrum, length, axis)[..., None].astype(x.dtype)
    signal = x[..., 0] if x.shape[-1] == 1 else jax.lax.complex(x[..., 0], x[..., 1])
    transform = jnp.fft.ifft if inverse else jnp.fft.rfft if one_sided else jnp.fft.fft
    found = transform(signal, length, axis)
    return jnp.stack([found.real, found.imag], -1).astype(x.dtype)


def _dft_axis(call: Call, rank: int) -> int:
    """The axis among those of the signal; the last of all axes is that of the parts of its numbers."""
    if call.version < _AXIS_IS_INPUT:
        axis = call.attribute("axis", 1)
    else:
        axis = call.integers(2, "the axis")[0] if call.has(2) else -2
    return int(np.arange(rank)[axis])


OPERATORS: Final[Mapping[str, Rule]] = {
    "DFT": _dft,
    "Det": unary(jnp.linalg.det),
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": binary(jnp.matmul),
}
