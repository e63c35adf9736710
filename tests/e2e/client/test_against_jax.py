"""Every method of a function against local JAX, on trees, batches and integers, in both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback


class Point(NamedTuple):
    """A named tuple, which comes back as one of the same name and fields."""

    u: Any
    v: Any


RNG = np.random.default_rng(7)
PARAMS = {"w": RNG.normal(size=(2, 3)), "b": [RNG.normal(size=2), None]}
POINT = Point(RNG.normal(size=3), (np.float64(0.5),))


def model(params: Any, point: Any, n: Any) -> Any:
    """A vector and a count from parameters, a point and an integer."""
    hidden = jnp.tanh(params["w"] @ point.u + params["b"][0])
    return {"y": hidden * point.v[0] ** n, "n": n + 1}


def loss(params: Any, point: Any) -> Any:
    """A scalar of the same."""
    return jnp.sum(model(params, point, 2)["y"] ** 2)


def residuals(params: Any, point: Any) -> Any:
    """A tree of vectors of the same."""
    return {"y": model(params, point, 2)["y"], "z": (jnp.sin(point.u),)}


@pytest.fixture(autouse=True)
def _double_precision() -> Any:
    """JAX computes what it is compared with in float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def served(client: pullback.Client) -> dict[str, pullback.Function]:
    """The functions on the server."""
    return {
        "loss": client.register(loss, PARAMS, POINT),
        "residuals": client.register(residuals, PARAMS, POINT),
        "model": client.register(model, PARAMS, POINT, np.int32(2)),
    }


def plain(tree: Any) -> Any:
    """A tree whose named tuples are compared by name and fields: their classes differ."""
    match tree:
        case tuple() if hasattr(tree, "_fields"):
            return {type(tree).__name__: {name: plain(getattr(tree, name)) for name in tree._fields}}
        case dict():
            return {key: plain(part) for key, part in tree.items()}
        case list() | tuple():
            return type(tree)(map(plain, tree))
        case _:
            return tree


def assert_same(actual: Any, expected: Any) -> None:
    """The same tree, shapes and dtypes, and numbers to rounding."""
    actual, expected = plain(actual), plain(jax.tree.map(np.asarray, expected))
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert isinstance(left, np.ndarray)
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        if right.dtype != jax.dtypes.float0:
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)


def tangent(tree: Any) -> Any:
    """A direction of the same shapes."""
    return jax.tree.map(lambda leaf: np.cos(np.arange(leaf.size, dtype="f8")).reshape(leaf.shape), tree)


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1, 0)])
def test_gradients(served: dict[str, pullback.Function], argnums: Any) -> None:
    """Bare for an integer, a tuple for a tuple."""
    f = served["loss"]
    assert_same(f.grad(PARAMS, POINT, argnums=argnums), jax.grad(loss, argnums)(PARAMS, POINT))
    expected = jax.value_and_grad(loss, argnums)(PARAMS, POINT)
    assert_same(f.value_and_grad(point=POINT, params=PARAMS, argnums=argnums), expected)


METHODS = {"jacobian": jax.jacobian, "jacfwd": jax.jacfwd, "jacrev": jax.jacrev, "hessian": jax.hessian}


@pytest.mark.parametrize("argnums", [0, (1, 0)])
@pytest.mark.parametrize("method", METHODS)
def test_jacobians_and_hessians(served: dict[str, pullback.Function], method: str, argnums: Any) -> None:
    """The result's tree of the arguments' trees."""
    actual = getattr(served["residuals"], method)(PARAMS, POINT, argnums=argnums)
    assert_same(actual, METHODS[method](residuals, argnums)(PARAMS, POINT))


def test_directional_derivatives(served: dict[str, pullback.Function]) -> None:
    """jvp, vjp and hvp."""
    f, primals = served["loss"], (PARAMS, POINT)
    tangents = tangent(primals)
    assert_same(f.jvp(primals, tangents), jax.jvp(loss, primals, tangents))
    value, pull = jax.vjp(loss, *primals)
    assert_same(f.vjp(primals, 2.0), (value, pull(2.0)))
    assert_same(f.vjp(primals, 2.0, argnums=1), (value, pull(2.0)[1]))
    along = jax.jvp(lambda params: jax.grad(loss)(params, POINT), (PARAMS,), (tangents[0],))[1]
    assert_same(f.hvp(primals, (tangents[0],)), along)
    both = jax.jvp(jax.grad(loss, (0, 1)), primals, tangents)[1]
    assert_same(f.hvp(primals, tangents, argnums=(0, 1)), both)


def test_products_and_diagonals(served: dict[str, pullback.Function]) -> None:
    """Gauss-Newton products along three directions, the Hessian's diagonal, its sum, and mixed modes."""
    f, g = served["loss"], served["residuals"]
    directions = jax.tree.map(lambda leaf: RNG.normal(size=(3, *np.shape(leaf))), PARAMS)
    products = g.ggn_vp((PARAMS, POINT), (directions,), directions=3)

    def product(v: Any) -> Any:
        pushed = jax.jvp(lambda p: residuals(p, POINT), (PARAMS,), (v,))[1]
        return jax.vjp(lambda p: residuals(p, POINT), PARAMS)[1](pushed)[0]

    assert_same(products, jax.vmap(product)(directions))
    hessian = jax.hessian(loss, 1)(PARAMS, POINT)
    diagonal = f.hessian_diag(PARAMS, POINT, argnums=1)
    np.testing.assert_allclose(diagonal.u, np.diag(hessian.u.u), rtol=1e-12)
    total = np.trace(hessian.u.u) + hessian.v[0].v[0]
    np.testing.assert_allclose(f.laplacian(PARAMS, POINT, argnums=1), total, rtol=1e-12)
    mixed = f.hessian(PARAMS, POINT, argnums=1, modes=["forward", "reverse"])
    assert_same(mixed, hessian)


def test_sparse_matrices(client: pullback.Client) -> None:
    """A Jacobian and a batch of Hessians as entries with coordinates."""
    x = np.linspace(-1, 1, 6)
    differences = client.register(lambda x: x[1:] - x[:-1] ** 2, x, name="differences")
    chain = client.register(lambda x: jnp.sum((x[1:] - x[:-1] ** 2) ** 2), x, name="chain")
    jacobian = differences.jacobian(x, sparse=True)
    assert (jacobian.shape, len(jacobian.values)) == ((5, 6), 10)
    np.testing.assert_allclose(jacobian.todense(), differences.jacobian(x), rtol=1e-12)
    points = np.stack([x, 2 * x, x + 1])
    results = chain.evaluate(points, want=["grad", pullback.Want("hessian", sparse=True)])
    np.testing.assert_allclose(results.hessian.todense(), chain.hessian(points), rtol=1e-12, atol=1e-12)
    assert results.hessian.values.shape == (3, 16)


def test_integers_have_float0(served: dict[str, pullback.Function]) -> None:
    """Integer arguments and results have derivatives as JAX gives them."""
    f, n = served["model"], np.int32(2)
    primals = (PARAMS, POINT, n)
    zero = np.zeros((), jax.dtypes.float0)
    tangents = (*tangent((PARAMS, POINT)), zero)
    assert_same(f.jvp(primals, tangents), jax.jvp(model, primals, tangents))
    value, pull = jax.vjp(model, *primals)
    cotangent = {"y": np.ones(2), "n": zero}
    assert_same(f.vjp(primals, cotangent), (value, pull(cotangent)))
    assert_same(f.vjp(primals, {"y": np.ones(2), "n": None}), (value, pull(cotangent)))


@pytest.mark.parametrize("points", [1, 5, 0])
def test_batches(served: dict[str, pullback.Function], points: int) -> None:
    """The point is batched, the parameters are shared, as jax.vmap with in_axes."""
    batch = Point(RNG.normal(size=(points, 3)), (RNG.normal(size=points),))
    transformed = jax.value_and_grad(loss, (0, 1))
    if points:
        expected = jax.vmap(transformed, (None, 0))(PARAMS, batch)
        assert_same(served["loss"].value_and_grad(PARAMS, batch, argnums=(0, 1)), expected)
    else:
        value, (gradient, _) = served["loss"].value_and_grad(PARAMS, batch, argnums=(0, 1))
        assert (value.shape, gradient["w"].shape) == ((0,), (0, 2, 3))


def test_a_batch_of_tangents_at_one_point(served: dict[str, pullback.Function]) -> None:
    """Tangents alone can be the batch."""
    many = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf, -leaf]), tangent((PARAMS, POINT)))
    expected = jax.vmap(lambda t: jax.jvp(loss, (PARAMS, POINT), t))(many)
    assert_same(served["loss"].jvp((PARAMS, POINT), many), expected)


def test_several_in_one_pass(served: dict[str, pullback.Function]) -> None:
    """Each want has its own tree."""
    third = pullback.Want("derivative", order=3, argnums=1, name="third")
    results = served["loss"].evaluate(
        PARAMS, POINT, want=["value", "grad", third, "jvp"], argnums=0, tangents=(tangent(PARAMS),)
    )
    at_point: Callable[[Any], Any] = lambda point: loss(PARAMS, point)  # noqa: E731 -- a partial has no type
    assert_same(results.value, loss(PARAMS, POINT))
    assert_same(results.grad, jax.grad(loss)(PARAMS, POINT))
    assert_same(results.third, jax.jacfwd(jax.jacfwd(jax.jacrev(at_point)))(POINT))
    along = jax.jvp(lambda params: loss(params, POINT), (PARAMS,), (tangent(PARAMS),))[1]
    assert_same(results["jvp"], along)
    assert results.timing.total > 0.0


def test_the_asynchronous_client(client: pullback.Client, served: dict[str, pullback.Function]) -> None:
    """The same trees, awaited, many at a time, and on a stream."""

    async def evaluate() -> None:
        async with pullback.aio.connect(client.address) as asynchronous:
            f = await asynchronous.function(f"loss@{served['loss'].digest[:8]}")
            both = await asyncio.gather(f.grad(PARAMS, POINT), f.hessian(PARAMS, POINT, argnums=1))
            assert_same(both[0], jax.grad(loss)(PARAMS, POINT))
            assert_same(both[1], jax.hessian(loss, 1)(PARAMS, POINT))
            async with f.stream() as stream:
                answers = [stream(PARAMS, Point(POINT.u * k, POINT.v)) for k in range(40)]
            for k, answer in enumerate(answers):
                assert_same(await answer, loss(PARAMS, Point(POINT.u * k, POINT.v)))

    asyncio.run(evaluate())


def test_a_stream_of_mixed_fates(served: dict[str, pullback.Function]) -> None:
    """What the server refuses fails alone."""
    with served["residuals"].stream() as stream:
        futures = [stream(PARAMS, POINT), stream.grad(PARAMS, POINT), stream.jacobian(PARAMS, POINT)]
    assert_same(futures[0].result(), residuals(PARAMS, POINT))
    with pytest.raises(pullback.InvalidArgumentError, match="real scalar") as caught:
        futures[1].result()
    assert caught.value.reason == "DERIVATIVE_UNDEFINED"
    assert_same(futures[2].result(), jax.jacobian(residuals)(PARAMS, POINT))
