"""Holds the closed forms that clients check answers against to what JAX gives on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from chaos.functions import (
    WIDTH,
    Array,
    bowl_jacobian,
    cube_gradient,
    right,
    wave,
    wave_gradient,
    wave_hessian,
)
from pullback.precautions import take_precautions

_POINTS: Final = 20


def disagreements(factors: Sequence[float]) -> list[str]:
    """Where a closed form is not what `jax.grad`, `jax.hessian` or `jax.jacobian` gives, in float64.

    Args:
        factors: Those of the tenants' functions.
    """
    take_precautions()
    import jax  # noqa: PLC0415 -- not before precautions are taken

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    generator = np.random.default_rng(0)
    found = []
    for factor in factors:
        for x, y in generator.normal(size=(_POINTS, 2, WIDTH)):
            compared = _compared(jax, factor, x, y)
            found += [f"the closed form of {what} is not JAX's" for what, *two in compared if not right(*two)]
    return found


def _compared(jax: Any, factor: float, x: Array, y: Array) -> Iterator[tuple[str, Any, Array]]:
    """What JAX gives at a point, and what the closed form does."""
    jnp = jax.numpy

    def of_x(x: Any) -> Any:
        return jnp.sum(jnp.sin(factor * x) * y)

    def bowl(x: Any) -> Any:
        return factor * x**3

    yield "a wave", of_x(x), wave(x, y, factor)
    yield "a wave's gradient", jax.grad(of_x)(x), wave_gradient(x, y, factor)
    yield "a wave's Hessian", jax.hessian(of_x)(x), wave_hessian(x, y, factor)
    yield "a bowl's Jacobian", jax.jacobian(bowl)(x), bowl_jacobian(x, factor)
    yield "a cube's gradient", jax.grad(lambda x: jnp.sum(bowl(x)))(x), cube_gradient(x, factor)
