"""Sparse Jacobians and Hessians: their entries are those of the dense ones, and there are few of them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.planner.plan import Options, plan
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.quantities import Mode, Want

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=9)
M = RANDOM.normal(size=(4, 6))


def rosenbrock(x: jax.Array) -> jax.Array:
    """Its Hessian is tridiagonal."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def arrow(x: jax.Array) -> jax.Array:
    """Its Hessian is an arrow: the first row and column, and the diagonal."""
    return jnp.sum(jnp.sin(x[0] * x[1:])) + x[0] ** 4


@jax.custom_jvp
def rounded(x: jax.Array) -> jax.Array:
    """The identity's derivative where the function's own is zero: a straight-through estimator."""
    return jnp.round(x)


rounded.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))


@jax.custom_vjp
def clipped(x: jax.Array) -> jax.Array:
    """The identity, whose cotangents are clipped: reverse mode alone, and a Hessian that is not symmetric."""
    return x


clipped.defvjp(lambda x: (x, x), lambda x, ct: (jnp.clip(ct, -1, 1) * x,))


def dense(leaves: list[np.ndarray], shapes: list[tuple[int, int]]) -> list[np.ndarray]:
    """The matrices of triples of values, rows and columns."""
    matrices = []
    triples = zip(leaves[::3], leaves[1::3], leaves[2::3], strict=True)
    for (values, rows, columns), shape in zip(triples, shapes, strict=True):
        assert rows.dtype == columns.dtype == np.int32
        matrix = np.zeros((*values.shape[:-1], *shape), values.dtype)
        matrix[..., rows, columns] = values
        matrices.append(matrix)
    return matrices


JACOBIANS = [
    (lambda x: x[1:] - x[:-1] ** 2, X, 16),
    (lambda x: jnp.where(x > 0, x, 0.0) * 3, X, 9),
    (lambda x: jnp.cumsum(jnp.sin(x))[::3], X, 12),
    (lambda x: jnp.stack([x.sum(), x[0] * x[1]]), X, 11),
    (lambda x: jax.nn.softplus(x)[2:], X, 7),
    (rounded, X, 9),
    (lambda x: clipped(x) ** 2, X, 9),
    (lambda x: jnp.floor(x) + jax.lax.stop_gradient(x), X, 0),
    (lambda x: x[np.array([3, 1, 1])] * 2, X, 3),
    (lambda x: jax.scipy.special.gammaln(x**2 + 1), X, 9),
    (lambda x: jax.lax.scan(lambda c, a: (c + a, c * a), 0.0, x)[1], X, 45),
    (lambda m: jnp.sum(m, 0), M, 24),
    (lambda m: jnp.sin(m).T, M, 24),
    (lambda x: jnp.fft.fft(x[:3]).real, X, 9),
    (lambda x: jnp.linalg.solve(jnp.diag(x[:2] + 9) + 1, x[2:4]), X, 8),
    (lambda x: x[:0], X, 0),
    (lambda x: x, np.zeros((0, 3)), 0),
    (lambda x: jnp.sin(x)[1:], X.astype(np.float32), 8),
]


@pytest.mark.parametrize(("function", "x", "count"), JACOBIANS)
def test_jacobian(bench: Any, want: Any, function: Any, x: Any, count: int) -> None:
    """The entries are those of the dense Jacobian, and their number is that of the pattern."""
    try:
        expected = np.asarray(jax.jacfwd(function)(x))
    except TypeError:  # a rule of its own for reverse mode forbids forward mode
        expected = np.asarray(jax.jacrev(function)(x))
    shape = (int(np.prod(jax.eval_shape(function, x).shape)), x.size)
    (leaves,) = bench.evaluate(bench.load(function, x), [want("jacobian", sparse=True)], x)
    (actual,) = dense(leaves, [shape])
    assert len(leaves[1]) == count
    assert actual.dtype == expected.dtype
    tolerance = 1e-12 if expected.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(actual, expected.reshape(shape), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_jacobian_in_a_mode(bench: Any, want: Any, mode: str) -> None:
    """Columns are coloured in forward mode, rows in reverse mode; the entries are the same."""
    function = lambda x: x[1:] * jnp.sin(x[:-1])  # noqa: E731 -- one line reads best
    wants = [want("value"), want("jacobian", sparse=True, mode=mode)]
    value, leaves = bench.evaluate(bench.load(function, X), wants, X)
    np.testing.assert_allclose(value[0], function(X), rtol=1e-12)
    (actual,) = dense(leaves, [(8, 9)])
    np.testing.assert_allclose(actual, jax.jacobian(function)(X), rtol=1e-12)


HESSIANS = [
    (rosenbrock, X, 25),
    (arrow, X, 25),
    (lambda x: jnp.sum(x[1:]) + x[0] ** 2, X, 1),
    (lambda x: jnp.sum(rounded(x) ** 2), X, 0),
    (lambda x: jnp.sum(clipped(x) ** 3 * x[0]), X, 25),
    (lambda x: jnp.sum(jax.nn.softplus(x)), X, 9),
    (lambda m: jnp.sum(m[0] * m[1]) + jnp.sum(m**3), M, 36),
    (lambda x: jnp.sum(x**2), np.zeros((0, 3)), 0),
]


@pytest.mark.parametrize(("function", "x", "count"), HESSIANS)
def test_hessian(bench: Any, want: Any, function: Any, x: Any, count: int) -> None:
    """The entries are those of the dense Hessian, of functions with rules of their own, too."""
    wants = [want("gradient"), want("hessian", sparse=True)]
    gradient, leaves = bench.evaluate(bench.load(function, x), wants, x)
    (actual,) = dense(leaves, [(x.size, x.size)])
    assert len(leaves[1]) == count
    np.testing.assert_allclose(gradient[0], jax.grad(function)(x), rtol=1e-12)
    expected = jax.hessian(function)(x).reshape(x.size, x.size)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_a_batch_has_one_pattern(bench: Any, want: Any) -> None:
    """Values have the points first; rows and columns stand once."""
    points = np.stack([X, 2 * X, X - 1])
    name = bench.load(rosenbrock, X)
    (leaves,) = bench.evaluate(name, [want("hessian", sparse=True)], points, points=3)
    assert [leaf.shape for leaf in leaves] == [(3, 25), (25,), (25,)]
    (actual,) = dense(leaves, [(9, 9)])
    np.testing.assert_allclose(actual, jax.vmap(jax.hessian(rosenbrock))(points), rtol=1e-12)


def test_blocks(bench: Any, want: Any) -> None:
    """Of trees there is a matrix for each pair of leaves, those of the arguments fastest."""

    def function(p: dict[str, Any], y: jax.Array) -> tuple[jax.Array, jax.Array]:
        return p["a"][:, None] * jnp.sin(p["b"]), y[:2] * p["a"][0]

    p = {"a": RANDOM.normal(size=4), "b": RANDOM.normal(size=3)}
    y = RANDOM.normal(size=5)
    (leaves,) = bench.evaluate(bench.load(function, p, y), [want("jacobian", 1, 0, sparse=True)], p, y)
    expected = [
        np.asarray(block).reshape(rows, -1)
        for rows, tree in zip((12, 2), jax.jacobian(function, (1, 0))(p, y), strict=True)
        for block in jax.tree.leaves(tree)
    ]
    for actual, block in zip(dense(leaves, [block.shape for block in expected]), expected, strict=True):
        np.testing.assert_allclose(actual, block, rtol=1e-12)
    counts = [len(rows) for rows in leaves[1::3]]
    assert counts == [0, 12, 12, 2, 2, 0]


def test_colours_are_few(bench: Any, want: Any) -> None:
    """A tridiagonal Hessian of 400 rows takes three directions, an arrow two."""
    x = np.linspace(0, 1, 400)
    for function, most in ((rosenbrock, 3), (arrow, 2)):
        planned = plan(bench.kernel._programs.find(bench.load(function, x)), (want("hessian", sparse=True),))
        coloring = planned.derivatives[0].coloring
        assert coloring.colors <= most


def test_a_pattern_is_detected_once(bench: Any, want: Any) -> None:
    """Other wants of the same function find the pattern that was detected."""
    made: dict[Any, Any] = {}
    program: LoadedProgram = bench.kernel._programs.find(bench.load(rosenbrock, X))

    def remember(key: Any, make: Any) -> Any:
        if key not in made:
            made[key] = make()
        return made[key]

    options = Options(remember=remember)
    wants: list[tuple[Want, ...]] = [
        (want("hessian", sparse=True),),
        (want("value"), want("hessian", sparse=True)),
    ]
    first, second = (plan(program, each, options).derivatives[-1] for each in wants)
    assert len(made) == 1
    assert first is not None
    assert first.coloring is second.coloring


@pytest.mark.parametrize(
    ("extras", "reason"),
    [
        ({"quantity": "gradient"}, Reason.MALFORMED_REQUEST),
        ({"quantity": "hessian"}, Reason.DERIVATIVE_UNDEFINED),
        ({"quantity": "hessian", "modes": (Mode.REVERSE, Mode.FORWARD)}, Reason.MALFORMED_REQUEST),
    ],
)
def test_refusals(bench: Any, want: Any, extras: dict[str, Any], reason: Reason) -> None:
    """A gradient is never sparse, the Hessian of a vector neither, and a sparse Hessian has no modes."""
    name = bench.load(lambda x: x**2, X)
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(name, [want(**extras, sparse=True)], X)
    assert caught.value.reason is reason


def test_complex_functions_have_none(bench: Any, want: Any) -> None:
    """Patterns are of real functions."""
    name = bench.load(lambda x: x * 1j, X)
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(name, [want("jacobian", sparse=True)], X)
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED
