"""Each quantity at a point equals local JAX bit for bit: shapes, trees, argnums, dtypes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)


class Point(NamedTuple):
    """A named tuple of arrays."""

    a: Any
    b: Any


RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=5)
M = RANDOM.normal(size=(3, 5))
TREE = {"w": RANDOM.normal(size=(5, 2)), "b": [RANDOM.normal(size=2), np.float64(0.3)], "none": None}
COMPLEX = RANDOM.normal(size=3) + 1j * RANDOM.normal(size=3)


def rosenbrock(x: jax.Array) -> jax.Array:
    """A scalar function."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def affine(m: jax.Array, x: jax.Array) -> jax.Array:
    """f64[3,5], f64[5] -> f64[3]."""
    return jnp.tanh(m @ x)


def network(params: dict[str, Any], x: jax.Array) -> dict[str, Any]:
    """A tree and an array to a tree of several shapes."""
    hidden = jnp.tanh(x @ params["w"] + params["b"][0])
    return {"out": hidden * params["b"][1], "norm": jnp.sqrt(jnp.sum(hidden**2))}


def loss(params: dict[str, Any], x: jax.Array) -> jax.Array:
    """A tree and an array to a scalar."""
    return jnp.sum(network(params, x)["out"] ** 3)


def mixed(x: jax.Array, n: jax.Array, flag: jax.Array) -> jax.Array:
    """A real, an integer and a boolean argument to a scalar."""
    return jnp.where(flag, jnp.sum(jnp.sin(x) ** 2) * n, 0.0)


def loop(x: jax.Array) -> jax.Array:
    """A scan, which has both modes."""
    return jax.lax.scan(lambda c, _: (jnp.sin(c) * x, c), x, None, length=4)[0]


GRADIENTS = [
    (rosenbrock, (X,), (0,)),
    (loss, (TREE, X), (0,)),
    (loss, (TREE, X), (1, 0)),
    (mixed, (X, np.int32(3), np.bool_(True)), (0,)),
    (lambda p: p.a.sum() * jnp.sum(p.b**2), (Point(X, M),), (0,)),
    (lambda z: jnp.sum(jnp.abs(z) ** 2), (COMPLEX,), (0,)),
    (lambda z, x: jnp.sum(jnp.real(z * x) ** 2), (COMPLEX, X[:3]), (0, 1)),
    (lambda x: jnp.sum(x**2), (np.zeros((0, 3)),), (0,)),
    (lambda x: jnp.sum(x**2), (X.astype(np.float32),), (0,)),
    (lambda x: jnp.sum(x**2), (jnp.asarray(X, jnp.bfloat16),), (0,)),
]


@pytest.mark.parametrize(("function", "arguments", "argnums"), GRADIENTS)
def test_gradient(
    bench: Any, want: Any, same: Any, close: Any, function: Any, arguments: Any, argnums: Any
) -> None:
    """The gradient, and value and gradient together, are those of jax.value_and_grad."""
    name = bench.load(function, *arguments)
    value, gradient = jax.jit(jax.value_and_grad(function, argnums))(*arguments)
    alone = bench.evaluate(name, [want("gradient", *argnums)], *arguments)
    both = bench.evaluate(name, [want("value"), want("gradient", *argnums)], *arguments)
    same(alone[0], gradient)
    close(both[0], value)
    close(both[1], gradient)


JACOBIANS = [
    (affine, (M, X), (0,)),
    (affine, (M, X), (1, 0)),
    (network, (TREE, X), (0,)),
    (network, (TREE, X), (1,)),
    (loop, (X,), (0,)),
    (rosenbrock, (X,), (0,)),
    (lambda x: x[:0], (X,), (0,)),
    (lambda x: jnp.sum(x, 0), (np.zeros((0, 3)),), (0,)),
    (lambda x, y: (x[0] * y, y.sum() * x), (X.astype(np.float32), X), (0, 1)),
]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("function", "arguments", "argnums"), JACOBIANS)
def test_jacobian(
    bench: Any, want: Any, same: Any, close: Any, function: Any, arguments: Any, argnums: Any, mode: str
) -> None:
    """The Jacobian, alone and with the value, is that of jax.jacfwd or jax.jacrev."""
    transformation = {"forward": jax.jacfwd, "reverse": jax.jacrev}[mode]
    name = bench.load(function, *arguments)
    expected = jax.jit(transformation(function, argnums))(*arguments)
    alone = bench.evaluate(name, [want("jacobian", *argnums, mode=mode)], *arguments)
    both = bench.evaluate(name, [want("value"), want("jacobian", *argnums, mode=mode)], *arguments)
    same(alone[0], expected)
    close(both[0], jax.jit(function)(*arguments))
    close(both[1], expected)


@pytest.mark.parametrize(
    ("function", "arguments", "transformation"),
    [
        (lambda x: jnp.outer(x, x), (X,), jax.jacfwd),
        (rosenbrock, (X,), jax.jacrev),
        (jnp.sin, (X,), jax.jacfwd),
        (lambda x: jnp.exp(1j * x), (X,), jax.jacfwd),
        (lambda z: jnp.abs(z) ** 2, (COMPLEX,), jax.jacrev),
        (lambda x: jax.lax.while_loop(lambda v: v.sum() < 9, lambda v: v * v + 1, x)[:2], (X,), jax.jacfwd),
    ],
)
def test_planned_jacobian(
    bench: Any, want: Any, same: Any, function: Any, arguments: Any, transformation: Any
) -> None:
    """The planner takes the mode that exists, and of two the one with fewer passes."""
    name = bench.load(function, *arguments)
    expected = jax.jit(transformation(function))(*arguments)
    same(bench.evaluate(name, [want("jacobian")], *arguments)[0], expected)
    same(bench.evaluate(name, [want("derivative", order=1)], *arguments)[0], expected)


def test_planned_jacobian_takes_reverse_mode_where_forward_mode_does_not_exist(
    bench: Any, want: Any, same: Any
) -> None:
    """A custom reverse rule has no forward mode, however many outputs there are."""

    @jax.custom_vjp
    def doubled(x: jax.Array) -> jax.Array:
        return 2 * x

    doubled.defvjp(lambda x: (2 * x, None), lambda _, ct: (7 * ct,))
    name = bench.load(lambda x: jnp.outer(doubled(x), x), X)
    expected = jax.jit(jax.jacrev(lambda x: jnp.outer(doubled(x), x)))(X)
    same(bench.evaluate(name, [want("jacobian")], X)[0], expected)


HESSIANS = [
    (rosenbrock, (X,), (0,)),
    (loss, (TREE, X), (0,)),
    (loss, (TREE, X), (1, 0)),
    (affine, (M, X), (0, 1)),
    (loop, (X,), (0,)),
    (lambda x: jnp.sum(x**2), (np.zeros((0, 3)),), (0,)),
    (lambda x: (x**2)[:0], (X,), (0,)),
]


@pytest.mark.parametrize(("function", "arguments", "argnums"), HESSIANS)
def test_hessian(bench: Any, want: Any, same: Any, function: Any, arguments: Any, argnums: Any) -> None:
    """The Hessian is that of jax.hessian."""
    name = bench.load(function, *arguments)
    actual = bench.evaluate(name, [want("hessian", *argnums)], *arguments)
    same(actual[0], jax.jit(jax.hessian(function, argnums))(*arguments))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivative_of_any_order(bench: Any, want: Any, same: Any, order: int) -> None:
    """The derivative of order k is jax.jacfwd k-1 times over jax.jacrev."""
    name = bench.load(rosenbrock, X[:3])
    nested: Callable[..., Any] = jax.jacrev(rosenbrock)
    for _ in range(order - 1):
        nested = jax.jacfwd(nested)
    actual = bench.evaluate(name, [want("derivative", order=order)], X[:3])
    same(actual[0], jax.jit(nested)(X[:3]))


def test_jvp_over_trees(bench: Any, want: Any, close: Any) -> None:
    """The JVP, alone and with the value, is that of jax.jvp."""
    tangents = jax.tree.map(np.ones_like, (X, TREE))
    expected = jax.jit(lambda x, t, dx, dt: jax.jvp(lambda x, t: network(t, x), (x, t), (dx, dt)))(
        X, TREE, *tangents
    )
    name = bench.load(network, TREE, X)
    wants = [want("jvp", 1, 0), want("value")]
    pushed, value = bench.evaluate(name, wants, TREE, X, tangents=jax.tree.leaves(tangents))
    close(pushed, expected[1])
    close(value, expected[0])


def test_vjp_over_trees(bench: Any, want: Any, close: Any) -> None:
    """The VJP, alone and with the value, is that of jax.vjp."""
    cotangents = jax.tree.map(np.ones_like, jax.jit(network)(TREE, X))
    expected = jax.jit(lambda p, x, ct: jax.vjp(network, p, x)[1](ct))(TREE, X, cotangents)
    name = bench.load(network, TREE, X)
    pulled, value = bench.evaluate(
        name, [want("vjp", 0, 1), want("value")], TREE, X, cotangents=jax.tree.leaves(cotangents)
    )
    close(pulled, expected)
    close(value, jax.jit(network)(TREE, X))


def test_jvp_and_vjp_pass_integers_over(bench: Any, want: Any, same: Any, close: Any) -> None:
    """Integer leaves of arguments and results take no tangents and give none."""

    def function(p: dict[str, Any], n: Any) -> tuple[Any, Any]:
        return jnp.sin(p["x"]) * n, p["i"] + 1

    arguments = ({"i": np.arange(3), "x": X}, np.int64(4))
    name = bench.load(function, *arguments)
    wants = [want("jvp", 0, 1), want("vjp", 1, 0), want("value")]
    pushed, pulled, value = bench.evaluate(name, wants, *arguments, tangents=[X], cotangents=[X])
    close(pushed, [jax.jit(lambda x: jnp.cos(x) * X * 4)(X)])
    close(pulled, [np.cos(X) * X * 4])
    same(value, jax.jit(function)(*arguments))


def test_jvp_and_vjp_of_integers_alone(bench: Any, want: Any, same: Any) -> None:
    """Where nothing can move, the tangents of the result are zero and nothing is pulled back."""
    name = bench.load(lambda n: n * 1.5, np.arange(3))
    pushed, pulled = bench.evaluate(name, [want("jvp"), want("vjp")], np.arange(3), cotangents=[X[:3]])
    same(pushed, [np.zeros(3)])
    assert pulled == []


def test_hvp(bench: Any, want: Any, same: Any) -> None:
    """The HVP of a scalar is jax.jvp of jax.grad."""
    tangents = jax.tree.map(np.ones_like, TREE)
    expected = jax.jit(lambda p, v: jax.jvp(lambda p: jax.grad(loss)(p, X), (p,), (v,))[1])(TREE, tangents)
    name = bench.load(loss, TREE, X)
    actual = bench.evaluate(name, [want("hvp")], TREE, X, tangents=jax.tree.leaves(tangents))
    same(actual[0], expected)


def test_hvp_of_a_vector(bench: Any, want: Any, same: Any) -> None:
    """The HVP of a vector is jax.jvp of jax.jacrev."""
    expected = jax.jit(lambda x, v: jax.jvp(jax.jacrev(partial(affine, M)), (x,), (v,))[1])(X, X)
    name = bench.load(affine, M, X)
    same(bench.evaluate(name, [want("hvp", 1)], M, X, tangents=[X])[0], expected)


@pytest.mark.parametrize("quantity", ["jvp", "vjp", "hvp"])
def test_complex_directions(bench: Any, want: Any, same: Any, quantity: str) -> None:
    """Complex tangents and cotangents follow JAX's conventions."""
    function = (lambda z: jnp.sum(jnp.abs(z) ** 4)) if quantity == "hvp" else (lambda z: z**3)
    local = {
        "jvp": lambda z: jax.jvp(function, (z,), (z,))[1],
        "vjp": lambda z: jax.vjp(function, z)[1](z),
        "hvp": lambda z: jax.jvp(jax.grad(function), (z,), (z,))[1],
    }
    directions = {"cotangents" if quantity == "vjp" else "tangents": [COMPLEX]}
    name = bench.load(function, COMPLEX)
    same(
        bench.evaluate(name, [want(quantity)], COMPLEX, **directions)[0],
        jax.jit(local[quantity])(COMPLEX),
    )


def test_empty_argument(bench: Any, want: Any, same: Any) -> None:
    """An argument without leaves has derivatives without leaves."""
    name = bench.load(lambda _, x: jnp.sum(x**2), None, X)
    wants = [want(quantity, 0) for quantity in ("gradient", "jacobian", "hessian", "hvp")]
    value, *derivatives = bench.evaluate(name, [want("value"), *wants], None, X)
    same(value, jax.jit(lambda x: jnp.sum(x**2))(X))
    assert derivatives == [[], [], [], []]


def test_everything_at_once(bench: Any, want: Any) -> None:
    """All quantities of one request, with two sets of argnums, equal those asked one by one."""
    wants = [
        want("value"),
        want("gradient", 1),
        want("gradient", 0),
        want("jacobian", 1, mode="forward"),
        want("jacobian", 1, mode="reverse"),
        want("hessian", 1),
        want("derivative", 1, order=3),
        want("jvp", 1),
        want("hvp", 1),
        want("vjp", 0, 1),
    ]
    name = bench.load(loss, TREE, X)
    together = bench.outcome(name, wants, TREE, X, tangents=[X], cotangents=[np.float64(2)]).results
    for one, result in zip(wants, together, strict=True):
        directions = {
            "jvp": {"tangents": [X]},
            "hvp": {"tangents": [X]},
            "vjp": {"cotangents": [np.float64(2)]},
        }
        (alone,) = bench.outcome(name, [one], TREE, X, **directions.get(one.quantity.value, {})).results
        assert [leaf.type for leaf in result] == [leaf.type for leaf in alone]
        for left, right in zip(result, alone, strict=True):
            np.testing.assert_allclose(
                np.frombuffer(left.data), np.frombuffer(right.data), rtol=1e-13, atol=1e-15
            )
