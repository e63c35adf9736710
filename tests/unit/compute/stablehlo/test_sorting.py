"""Sorts by comparators that are understood, and by those that are not."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.exports import pulled, pushed, serve_exported
from jax import lax

from pullback_server.compute.formats.stablehlo.operations.orderings import Key
from pullback_server.compute.formats.stablehlo.operations.sorting import sort_by, sort_by_keys

_X = np.array([[0.5, np.nan, -0.0, 0.0, -np.inf, 2.0, 0.5], [3.0, 1.0, 2.0, 1.0, 0.0, -1.0, np.inf]])
_SPECIAL = np.array([1.0, -0.0, 0.0, np.nan, -np.inf, np.inf, -2.0], np.float32)


def _text(compare: str, kind: str = "f64", more: str = "") -> str:
    return f"""
    func.func @main(%x: tensor<7x{kind}>, %y: tensor<7xf64>) -> (tensor<7x{kind}>, tensor<7xf64>) {{
      %r:2 = "stablehlo.sort"(%x, %y) ({{
        ^bb0(%a: tensor<{kind}>, %b: tensor<{kind}>, %p: tensor<f64>, %q: tensor<f64>):
          {more}
          %l = stablehlo.compare {compare} : (tensor<{kind}>, tensor<{kind}>) -> tensor<i1>
          stablehlo.return %l : tensor<i1>
      }}) {{dimension = 0 : i64, is_stable = true}} : (tensor<7x{kind}>, tensor<7xf64>)
        -> (tensor<7x{kind}>, tensor<7xf64>)
      return %r#0, %r#1 : tensor<7x{kind}>, tensor<7xf64>
    }}"""


@pytest.mark.parametrize(
    "function",
    [
        lambda x: lax.sort(x, dimension=0),
        lambda x: lax.sort(x, dimension=1, is_stable=False),
        lambda x: lax.sort((jnp.round(x), x, 2 * x), dimension=1, num_keys=2),
        lambda x: lax.sort((lax.complex(x, x[::-1]), x), dimension=1),
        lambda x: jnp.sort(x, descending=True),
        lambda x: (jnp.argsort(x, axis=1, descending=True), jnp.argsort(x > 0.25, axis=1)),
        lambda x: lax.sort((jnp.isnan(x).astype(jnp.uint8), x), dimension=1),
    ],
)
def test_what_jax_sorts_is_sorted_by_jax(function: Any) -> None:
    """Values equal bit for bit, and so do derivatives, as the same operation computes them."""

    def flat(x: Any) -> list[Any]:
        return list(jax.tree.leaves(function(x)))

    served = serve_exported(flat, [_X])
    for actual, expected in zip(jax.jit(served.forward)(_X), jax.jit(flat)(_X), strict=True):
        assert np.asarray(actual).tobytes() == np.asarray(expected).tobytes()
    assert "sort[" in str(jax.make_jaxpr(served.forward)(_X))
    if any(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in jax.eval_shape(flat, _X)):
        tangent = np.arange(14.0).reshape(2, 7)
        for actual, expected in zip(
            pushed(served.forward, [_X], [tangent]), pushed(flat, [_X], [tangent]), strict=True
        ):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("compare", ["GT, %a, %b", "LT, %b, %a", "GT, %a, %b, FLOAT"])
def test_descending_order_keeps_ties(lift_text: Any, compare: str) -> None:
    """A descending stable sort leaves equal elements in their order."""
    x = np.array([1.0, 3.0, 1.0, 2.0, 3.0, 0.0, 1.0])
    y = np.arange(7.0)
    function = lift_text(_text(compare), ["f64[7]", "f64[7]"], ["f64[7]", "f64[7]"])
    order = np.argsort(-x, kind="stable")
    np.testing.assert_array_equal(function(x, y), [x[order], y[order]])


def test_any_comparator_sorts(lift_text: Any) -> None:
    """A comparator that no rule knows: by the remainder, then in order; derivatives follow the elements."""
    more = """%m = stablehlo.constant dense<3> : tensor<i64>
          %u = stablehlo.remainder %a, %m : tensor<i64>
          %v = stablehlo.remainder %b, %m : tensor<i64>"""
    x, y = np.array([5, 3, 9, 1, 2, 6, 4]), np.arange(7.0)
    function = lift_text(_text("GT, %u, %v", "i64", more), ["i64[7]", "f64[7]"], ["i64[7]", "f64[7]"])
    order = np.argsort(-(x % 3), kind="stable")
    np.testing.assert_array_equal(function(x, y)[0], x[order])
    np.testing.assert_array_equal(function(x, y)[1], y[order])


@pytest.mark.parametrize("length", [0, 1, 2, 3, 8, 13])
def test_the_network_sorts_any_length_along_any_axis(length: int) -> None:
    """Zero-size arrays, powers of two and others; two arrays at once."""
    x = np.random.default_rng(length).integers(0, 9, (2, length, 3))
    places = np.arange(x.size, dtype=float).reshape(x.shape)
    values, carried = sort_by([x, places], 1, lambda left, right: left[0] % 5 > right[0] % 5)
    order = np.argsort(-(x % 5), 1, kind="stable")
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))
    np.testing.assert_array_equal(carried, np.take_along_axis(places, order, 1))


def test_the_network_differentiates() -> None:
    """In both modes, the derivative of a sort is its permutation."""
    x = np.array([3.0, -1.0, 2.0, 0.5, -2.5])

    def by_modulus(values: Any) -> list[Any]:
        return list(sort_by([values], 0, lambda left, right: abs(left[0]) < abs(right[0])))

    order = np.argsort(np.abs(x))
    tangent = np.arange(5.0)
    np.testing.assert_array_equal(pushed(by_modulus, [x], [tangent])[0], tangent[order])
    np.testing.assert_array_equal(pulled(by_modulus, [x], [tangent])[0], np.argsort(order))


def test_a_comparator_that_contradicts_itself_still_permutes() -> None:
    """Whatever it says, nothing is lost."""
    x = np.arange(11.0)
    (out,) = sort_by([x], 0, lambda left, _: left[0] > 0)
    np.testing.assert_array_equal(np.sort(out), x)


@pytest.mark.parametrize("descending", [False, True])
def test_the_total_order_tells_zeros_apart(descending: bool) -> None:
    """-0 comes before 0, NaN after infinity."""
    values = np.concatenate([_SPECIAL, -_SPECIAL[3:4]])
    (out,) = sort_by_keys([values], 0, [Key(0, total=True, descending=descending)], stable=True)
    expected = np.array([-np.nan, -np.inf, -2.0, -0.0, 0.0, 1.0, np.inf, np.nan], np.float32)
    expected = expected[::-1] if descending else expected
    np.testing.assert_array_equal(np.signbit(out), np.signbit(expected))
    np.testing.assert_array_equal(out, expected)
