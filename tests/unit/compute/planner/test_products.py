"""Gauss-Newton products, diagonals of Hessians, Laplacians, and many directions at once."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback_server.compute.compiler.trace import trace
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.quantities import Mode

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=5)
M = RANDOM.normal(size=(3, 5))
DIRECTIONS = RANDOM.normal(size=(4, 5))
TREE = {"w": RANDOM.normal(size=(5, 2)), "b": RANDOM.normal(size=2)}

FORWARD = (Mode.FORWARD, Mode.FORWARD)
OVER_REVERSE = (Mode.REVERSE, Mode.FORWARD)


def residuals(x: jax.Array) -> jax.Array:
    """f64[5] -> f64[3]."""
    return jnp.tanh(M @ x) * x[:3]


def scalar(x: jax.Array) -> jax.Array:
    """f64[5] -> f64[]."""
    return jnp.sum(residuals(x) ** 3)


def network(params: dict[str, Any], x: jax.Array) -> dict[str, Any]:
    """A tree and an array to two residuals of different shapes."""
    hidden = jnp.tanh(x @ params["w"] + params["b"])
    return {"out": hidden, "norm": jnp.sum(hidden**2)}


def gauss_newton(function: Any, x: Any, v: Any) -> Any:
    """J^T J v by JAX."""
    return jax.vjp(function, x)[1](jax.jvp(function, (x,), (v,))[1])[0]


def test_gauss_newton(bench: Any, want: Any, close: Any) -> None:
    """The product is J^T (J v)."""
    (result,) = bench.evaluate(bench.load(residuals, X), [want("ggn_vp")], X, tangents=[X])
    close(result, gauss_newton(residuals, X, X))


def test_gauss_newton_over_trees_and_a_batch(bench: Any, want: Any, close: Any) -> None:
    """Residuals of all leaves count; points and tangents are batched."""
    points = np.stack([X, 2 * X, X - 1])
    tangents = jax.tree.map(np.ones_like, TREE)
    name = bench.load(network, TREE, X)
    (result,) = bench.evaluate(
        name, [want("ggn_vp")], TREE, points, tangents=jax.tree.leaves(tangents), points=3
    )
    expected = jax.vmap(lambda x: gauss_newton(lambda p: network(p, x), TREE, tangents))(points)
    close(result, expected)


def test_gauss_newton_beside_others(bench: Any, want: Any, close: Any) -> None:
    """With the value, a JVP along the same tangents, and a gradient's own HVP."""
    wants = [want("value"), want("jvp"), want("ggn_vp"), want("hvp")]
    value, pushed, product, hvp = bench.evaluate(bench.load(scalar, X), wants, X, tangents=[X])
    close(value, scalar(X))
    close(pushed, jax.jvp(scalar, (X,), (X,))[1])
    close(product, gauss_newton(scalar, X, X))
    close(hvp, jax.hessian(scalar)(X) @ X)


@pytest.mark.parametrize("modes", [(), FORWARD, OVER_REVERSE])
@pytest.mark.parametrize("function", [scalar, residuals])
def test_diagonal_and_laplacian(
    bench: Any, want: Any, close: Any, function: Any, modes: tuple[Mode, ...]
) -> None:
    """They are the Hessian's diagonal and trace, for scalars and vectors, in either pair of modes."""
    hessian = jax.hessian(function)(X)
    wants = [want("hessian_diag", modes=modes), want("laplacian", modes=modes)]
    diagonal, laplacian = bench.evaluate(bench.load(function, X), wants, X)
    close(diagonal, jnp.diagonal(hessian, axis1=-2, axis2=-1))
    close(laplacian, jnp.trace(hessian, axis1=-2, axis2=-1))


@pytest.mark.parametrize("modes", [(), FORWARD])
def test_diagonal_over_trees(bench: Any, want: Any, close: Any, modes: tuple[Mode, ...]) -> None:
    """A leaf for each leaf of the result and of the arguments; the Laplacian sums over all arguments."""

    def loss(params: dict[str, Any], x: jax.Array) -> jax.Array:
        return jnp.sum(network(params, x)["out"] ** 3)

    hessian = jax.hessian(loss)(TREE, X)
    expected = {
        "b": jnp.diag(hessian["b"]["b"]),
        "w": jnp.diag(hessian["w"]["w"].reshape(10, 10)).reshape(5, 2),
    }
    name = bench.load(loss, TREE, X)
    wants = [want("hessian_diag", modes=modes), want("laplacian", modes=modes)]
    diagonal, laplacian = bench.evaluate(name, wants, TREE, X)
    close(diagonal, expected)
    close(laplacian, sum(leaf.sum() for leaf in expected.values()))


def test_diagonals_of_nothing(bench: Any, want: Any) -> None:
    """An argument without elements has an empty diagonal, and a Laplacian of zero."""
    name = bench.load(lambda x, y: jnp.sum(x) + y, np.zeros((0, 3)), np.float64(2))
    diagonal, laplacian = bench.evaluate(
        name, [want("hessian_diag"), want("laplacian")], np.zeros((0, 3)), np.float64(2)
    )
    assert diagonal[0].shape == (0, 3)
    np.testing.assert_array_equal(laplacian[0], 0.0)


def test_diagonals_other_ways(bench: Any, want: Any) -> None:
    """Reverse mode outside would make the whole Hessian."""
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(bench.load(scalar, X), [want("laplacian", modes=(Mode.FORWARD, Mode.REVERSE))], X)
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED


def test_many_tangents(bench: Any, want: Any, close: Any) -> None:
    """JVPs and Gauss-Newton products have the axis of the directions first; the value has none."""
    wants = [want("value"), want("jvp", directions=4), want("ggn_vp", directions=4)]
    value, pushed, products = bench.evaluate(bench.load(residuals, X), wants, X, tangents=[DIRECTIONS])
    jacobian = jax.jacobian(residuals)(X)
    close(value, residuals(X))
    close(pushed, DIRECTIONS @ jacobian.T)
    close(products, DIRECTIONS @ jacobian.T @ jacobian)


def test_many_hessian_products(bench: Any, want: Any, close: Any) -> None:
    """Four directions at once are four HVPs, with the gradient beside them."""
    wants = [want("gradient"), want("hvp", directions=4)]
    gradient, products = bench.evaluate(bench.load(scalar, X), wants, X, tangents=[DIRECTIONS])
    close(gradient, jax.grad(scalar)(X))
    close(products, DIRECTIONS @ jax.hessian(scalar)(X))


@pytest.mark.parametrize("batched", [False, True])
def test_many_directions_of_a_batch(bench: Any, want: Any, close: Any, batched: bool) -> None:
    """Points stand before directions; cotangents may be shared by all points."""
    points = np.stack([X, 2 * X])
    cotangents = RANDOM.normal(size=(2, 4, 3) if batched else (4, 3))
    (pulled,) = bench.evaluate(
        bench.load(residuals, X), [want("vjp", directions=4)], points, cotangents=[cotangents], points=2
    )
    each = jax.vmap(lambda x, cts: cts @ jax.jacobian(residuals)(x), (0, 0 if batched else None))
    close(pulled, each(points, cotangents))


@pytest.mark.parametrize("count", [0, 1])
def test_few_directions(bench: Any, want: Any, count: int) -> None:
    """No direction and one direction have an axis, too."""
    (pushed,) = bench.evaluate(
        bench.load(residuals, X), [want("jvp", directions=count)], X, tangents=[DIRECTIONS[:count]]
    )
    assert pushed[0].shape == (count, 3)


def test_integers_among_many_directions(bench: Any, want: Any, close: Any) -> None:
    """Integer leaves have no tangents, and what cannot move has zeros in every direction."""
    name = bench.load(lambda n: n * 1.5, np.arange(3))
    (pushed,) = bench.evaluate(name, [want("jvp", directions=2)], np.arange(3))
    close(pushed, np.zeros((2, 3)))


def test_directions_that_differ(bench: Any, want: Any) -> None:
    """Wants that share tangents have the same directions."""
    with pytest.raises(ServiceError, match="directions"):
        bench.evaluate(bench.load(scalar, X), [want("jvp", directions=2), want("hvp")], X, tangents=[X])


@jax.custom_vjp
def reversible(x: jax.Array) -> jax.Array:
    """A function with a rule of its own for reverse mode, as loops that are made reversible have."""
    return jnp.sin(x)


reversible.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))


def test_gauss_newton_where_each_mode_has_its_own_function(want: Any, close: Any) -> None:
    """Tangents are pushed through the one function and pulled back through the other."""
    leaf = (parse_tensor_type("f64[5]"),)
    signature = Signature((Argument("x", LEAF, leaf),), Result(LEAF, leaf))
    program = LoadedProgram(lambda x: [jnp.sin(x)], lambda: lambda x: [reversible(x)], signature, leaf, 0)
    wants = (want("value"), want("jacobian", mode="reverse"), want("ggn_vp"), want("jvp"))
    traced = trace(program, wants)
    value, jacobian, product, pushed = traced.function(X, X)
    close([value], jnp.sin(X))
    close([jacobian], jnp.diag(jnp.cos(X)))
    close([product], X * jnp.cos(X) ** 2)
    close([pushed], X * jnp.cos(X))
