"""Functions of symbolic sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluated, evaluation
from jax import export as jax_export
from jax import lax

from pullback.export import TracingError, UnsupportedOperationError, export
from pullback.program.container import JaxExport
from pullback.program.digest import digest
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.kernel import Kernel
from pullback_server.model.quantities import Mode, Quantity, Want

N, M = jax_export.symbolic_shape("n, m")


def f64(*shape: Any) -> jax.ShapeDtypeStruct:
    """A type of float64."""
    return jax.ShapeDtypeStruct(shape, np.dtype("float64"))


def recurrence(x: jax.Array, weights: jax.Array) -> jax.Array:
    """A scan as long as its argument."""

    def step(carry: jax.Array, entry: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.tanh(carry @ weights + entry), carry.sum()

    carry, sums = lax.scan(step, jnp.zeros(weights.shape[0]), x)
    return carry.sum() + sums.sum()


@jax.custom_vjp
def steered(x: jax.Array) -> jax.Array:
    """A function whose gradient is another one."""
    return jnp.sum(x**3)


steered.defvjp(lambda x: (jnp.sum(x**3), x), lambda x, cotangent: (7 * cotangent * x**2,))

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "mean": (lambda x: jnp.sum(x**3) / x.shape[0], (f64(N),), (np.arange(1.0, 4.0),)),
    "scan": (recurrence, (f64(N, M), f64(M, M)), (np.linspace(0, 1, 8).reshape(4, 2), np.eye(2) * 0.3)),
    "sort": (lambda x: jnp.sum(jnp.sort(x) * jnp.arange(x.shape[0])), (f64(N),), (np.array([3.0, 1, 2]),)),
    "steered": (lambda x: steered(x[::2]), (f64(2 * N + 1),), (np.arange(5.0),)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_size_has_every_derivative(case: str) -> None:
    """Value, reverse mode, and forward mode around it, as local JAX gives them."""
    function, types, arguments = CASES[case]
    program = export(function, *types)
    assert isinstance(program.body, JaxExport)
    name, kernel = digest(program), Kernel()
    kernel.load(name, program_to_bytes(program))
    tensors = tuple(to_tensor(np.asarray(argument)) for argument in arguments)
    with jax.enable_x64(True):
        for quantity, local in (
            (Quantity.VALUE, function),
            (Quantity.GRADIENT, jax.grad(function)),
            (Quantity.HESSIAN, jax.hessian(function)),
        ):
            want = Want(quantity, Mode.PLANNED, argnums=() if quantity is Quantity.VALUE else (0,))
            (result,) = evaluated(kernel, evaluation(name, (want,), tensors)).results[0]
            np.testing.assert_allclose(to_array(result), local(*arguments), rtol=1e-13, atol=1e-13)


def test_names_and_types() -> None:
    """Arguments have the names of the function's parameters."""
    program = export(lambda first, second: first.sum() + second, f64(N, 3), f64())
    findings = Kernel().load(digest(program), program_to_bytes(program))
    assert findings.signature is not None
    named = {argument.name: str(argument.leaves[0]) for argument in findings.signature.arguments}
    assert named == {"first": "f64[n,3]", "second": "f64[]"}


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: jnp.sum(jax.nn.softplus(x)), UnsupportedOperationError, "custom_jvp_call"),
        (lambda x: jnp.sum(lax.stop_gradient(x) * x), UnsupportedOperationError, "stop_gradient"),
        (lambda x: x.sum() if x.shape[0] > 5 else -x.sum(), TracingError, "how large its arguments are"),
        (lambda x: lax.while_loop(lambda x: x.sum() > 1, lambda x: x / 2, x), TracingError, "reverse mode"),
    ],
    ids=["custom_jvp", "stop_gradient", "branch", "while"],
)
def test_what_cannot_be_symbolic_is_refused(function: Any, error: type[Exception], message: str) -> None:
    """What would lose a derivative rule, or depends on the size itself, is registered at fixed sizes."""
    with pytest.raises(error, match=message):
        export(function, f64(N))
