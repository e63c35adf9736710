"""What a refused derivative leaves in JAX's memory of forward rules."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pullback.export import export
from pullback.program.container import StableHlo

_X = np.array([0.3, -0.7, 1.1], np.float32)


def _refusing() -> Any:
    """A product that refuses derivatives with respect to its second operand, as those of equinox do."""

    def forward(x: Any, y: Any) -> Any:
        assert not y.perturbed
        return x.value * y.value, y.value

    product = jax.custom_vjp(lambda x, y: x * y)
    product.defvjp(forward, lambda y, ct: (ct * y, jnp.zeros_like(y)), symbolic_zeros=True)
    return jax.jit(product)


def test_refused_operand_is_constant() -> None:
    """The choice of operands that is accepted is asked for again, after one that is refused."""
    body = export(_refusing(), _X, np.cos(_X)).body
    assert isinstance(body, StableHlo)
    assert len(body.modules) == len(("forward", "backward"))


def test_local_derivative_after_export() -> None:
    """A jitted function is traced once for the export and for its caller, whose derivative stands."""
    product = _refusing()
    export(product, _X, np.cos(_X))
    gradient = jax.grad(lambda x: jnp.sum(product(x, np.cos(_X))))(_X)
    np.testing.assert_allclose(gradient, np.cos(_X), rtol=1e-6)
