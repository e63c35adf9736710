"""Derivatives in mixed modes of any order equal JAX's own, whatever stands inside what."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.planner.passes.nest import supersequence
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.quantities import Mode

F, R = Mode.FORWARD, Mode.REVERSE
X = np.linspace(0.2, 1.1, 4)
M = np.random.default_rng(5).normal(size=(3, 4))
JAX = {F: jax.jacfwd, R: jax.jacrev}


def affine(x: jax.Array, m: jax.Array) -> jax.Array:
    """f64[4], f64[3,4] -> f64[3]."""
    return jnp.tanh(m @ x) * x[:3]


def nested(function: Any, modes: tuple[Mode, ...], argnums: Any = 0) -> Any:
    """The derivative by JAX, innermost mode first."""
    for mode in modes:
        function = JAX[mode](function, argnums)
    return function


@pytest.mark.parametrize("modes", list(product((F, R), repeat=2)))
def test_second_order_is_bit_equal(bench: Any, want: Any, same: Any, modes: tuple[Mode, ...]) -> None:
    """A Hessian in any two modes is that of JAX in the same."""
    name = bench.load(affine, X, M)
    (result,) = bench.evaluate(name, [want("hessian", 0, modes=modes)], X, M)
    same(result, jax.jit(nested(affine, modes))(X, M))


@pytest.mark.parametrize("modes", list(product((F, R), repeat=3)))
def test_third_order(bench: Any, want: Any, close: Any, modes: tuple[Mode, ...]) -> None:
    """A third derivative in any three modes is that of JAX, over two arguments."""
    argnums = (1, 0)
    (result,) = bench.evaluate(
        bench.load(affine, X, M), [want("derivative", *argnums, order=3, modes=modes)], X, M
    )
    close(result, jax.jit(nested(affine, modes, argnums))(X, M))


def test_all_modes_at_once(bench: Any, want: Any, close: Any) -> None:
    """One nest gives them all."""
    modes = list(product((F, R), repeat=2))
    wants = [want("value"), *(want("hessian", 0, modes=each) for each in modes)]
    value, *hessians = bench.evaluate(bench.load(affine, X, M), wants, X, M)
    close(value, affine(X, M))
    for hessian in hessians:
        close(hessian, jax.hessian(affine)(X, M))


def test_a_batch_of_mixed_modes(bench: Any, want: Any, close: Any) -> None:
    """Points stand before the axes of every derivative."""
    points = np.stack([X, X * 2, X - 1])
    name = bench.load(affine, X, M)
    (result,) = bench.evaluate(name, [want("hessian", 0, modes=(F, R))], points, M, points=3)
    close(result, jax.vmap(jax.hessian(affine), (0, None))(points, M))


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        ([], ()),
        ([(R,), (F,)], (R, F)),
        ([(R, F), (R,), (F,), (R, F, F)], (R, F, F)),
        ([(R, F), (F, R)], (R, F, R)),
        ([(F, F), (R, R)], (R, R, F, F)),
        ([(F, R, F), (R, R)], (R, F, R, F)),
    ],
)
def test_a_nest_is_as_short_as_can_be(sequences: list[tuple[Mode, ...]], expected: tuple[Mode, ...]) -> None:
    """Each sequence of modes is a part of the nest, in its order; reverse mode goes first in a tie."""
    actual = supersequence(sequences)
    assert len(actual) == len(expected)
    for sequence in sequences:
        rest = iter(actual)
        assert all(mode in rest for mode in sequence)


def doubling(x: jax.Array) -> jax.Array:
    """A loop whose end depends on the data: JAX has no reverse mode for it."""
    return jax.lax.while_loop(lambda v: jnp.sum(v) < 9, lambda v: v * v + 1, x).sum()


@pytest.mark.parametrize("quantity", ["jacobian", "hessian", "hessian_diag", "laplacian"])
def test_without_reverse_mode(bench: Any, want: Any, close: Any, quantity: str) -> None:
    """What the planner may choose the modes of is given forward over forward."""
    hessian = jax.jacfwd(jax.jacfwd(doubling))(X)
    expected = {
        "jacobian": jax.jacfwd(doubling)(X),
        "hessian": hessian,
        "hessian_diag": jnp.diag(hessian),
        "laplacian": jnp.trace(hessian),
    }
    (result,) = bench.evaluate(bench.load(doubling, X), [want(quantity)], X)
    close(result, expected[quantity])


def test_modes_that_are_asked_for_are_kept(bench: Any, want: Any) -> None:
    """A mode that does not exist is not replaced where it was asked for."""
    name = bench.load(doubling, X)
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(name, [want("hessian", modes=(R, F))], X)
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED


@pytest.mark.parametrize("modes", [(F,), (F, R, F), (F, Mode.PLANNED)])
def test_modes_that_do_not_fit(bench: Any, want: Any, modes: tuple[Mode, ...]) -> None:
    """A Hessian has two modes."""
    name = bench.load(affine, X, M)
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(name, [want("hessian", modes=modes)], X, M)
    assert caught.value.reason is Reason.MALFORMED_REQUEST
