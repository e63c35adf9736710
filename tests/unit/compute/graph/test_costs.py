"""Costs against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pullback.graphs.data import Cost, Graph
from pullback_server.compute.graph.estimate import Estimate

MakeGraph = Callable[..., Graph]
COMPLEX = np.zeros((2, 3), np.complex128)
IMAGE, KERNEL = np.zeros((2, 5, 7, 3)), np.zeros((3, 2, 3, 4))
CONVOLVED = ("NHWC", "HWIO", "NHWC")


def convolve(groups: int = 1) -> Callable[..., jax.Array]:
    """A convolution without padding."""
    return lambda x, w: lax.conv_general_dilated(
        x, w, (1, 1), "VALID", dimension_numbers=CONVOLVED, feature_group_count=groups
    )


@pytest.mark.parametrize(
    ("function", "examples", "flops", "transcendentals"),
    [
        pytest.param(lambda x: x + 1, [np.zeros((2, 3))], 6, 0, id="one for each element"),
        pytest.param(lambda x: x + 1, [np.zeros((0, 3))], 0, 0, id="none for no element"),
        pytest.param(lambda x: x * x + x, [np.zeros(4, np.int32)], 0, 0, id="integers are not counted"),
        pytest.param(lambda x: x + x, [COMPLEX], 12, 0, id="a complex sum counts 2"),
        pytest.param(lambda x, y: x * y, [COMPLEX, COMPLEX + 1], 36, 0, id="a complex product counts 6"),
        pytest.param(lambda x: jnp.sin(x) + 1, [np.zeros(5)], 5, 5, id="transcendentals apart"),
        pytest.param(lambda x: x**5, [np.zeros(5)], 15, 0, id="a fifth power takes 3 products"),
        pytest.param(lambda x: lax.integer_pow(x, -2), [np.zeros(5)], 10, 0, id="an inverse square takes 2"),
        pytest.param(lambda x: x.T.reshape(6), [np.zeros((2, 3))], 0, 0, id="moving counts nothing"),
        pytest.param(jnp.dot, [np.zeros((2, 3)), np.zeros((3, 5))], 2 * 2 * 3 * 5, 0, id="2 m n k"),
        pytest.param(jnp.dot, [COMPLEX, np.zeros((3, 5), np.complex128)], 8 * 2 * 3 * 5, 0, id="8 m n k"),
        pytest.param(
            jnp.matmul, [np.zeros((4, 2, 3)), np.zeros((4, 3, 5))], 4 * 60, 0, id="a batch of products"
        ),
        pytest.param(jnp.dot, [np.zeros((2, 0)), np.zeros((0, 5))], 0, 0, id="an empty product"),
        pytest.param(convolve(), [IMAGE, KERNEL], 2 * (2 * 3 * 6 * 4) * (3 * 2 * 3), 0, id="convolution"),
        pytest.param(
            convolve(3),
            [IMAGE, np.zeros((3, 2, 1, 6))],
            2 * (2 * 3 * 6 * 6) * (3 * 2),
            0,
            id="grouped convolution",
        ),
        pytest.param(lambda x: x.sum(), [np.zeros((4, 5))], 19, 0, id="a sum of 20 takes 19"),
        pytest.param(lambda x: x.max(axis=1), [np.zeros((4, 5))], 16, 0, id="4 maxima of 5 take 4 each"),
        pytest.param(lambda x: lax.cumsum(x, 1), [np.zeros((4, 5))], 16, 0, id="4 running sums of 5"),
        pytest.param(lambda x: lax.cumlogsumexp(x, 0), [np.zeros(5)], 12, 8, id="running logsumexp"),
        pytest.param(lambda x: lax.sort(x, dimension=0), [np.zeros((8, 3))], 8 * 3 * 3, 0, id="n log2 n"),
        pytest.param(lambda x: lax.top_k(x, 4)[0], [np.zeros((3, 16))], 3 * 16 * 2, 0, id="n log2 k"),
        pytest.param(
            lambda x: lax.reduce_window(x, -np.inf, lax.max, (2, 3), (1, 1), "VALID"),
            [np.zeros((4, 5))],
            3 * 3 * 5,
            0,
            id="9 windows of 6",
        ),
        pytest.param(
            lambda x, y: x.at[np.array([0, 1, 1])].add(y), [np.zeros(9), np.zeros(3)], 3, 0, id="scatter"
        ),
        pytest.param(lax.linalg.cholesky, [np.zeros((2, 6, 6))], 2 * 72 + 2 * 6 * 6 * 2, 0, id="n^3 / 3"),
        pytest.param(lax.linalg.lu, [np.zeros((6, 6))], 144, 0, id="2 n^3 / 3"),
        pytest.param(
            lambda a, b: lax.linalg.triangular_solve(a, b, left_side=True, lower=True),
            [np.zeros((4, 4)), np.zeros((4, 3))],
            48,
            0,
            id="n^2 for each right-hand side",
        ),
        pytest.param(jnp.fft.fft, [np.zeros((3, 16), np.complex128)], 3 * 5 * 16 * 4, 0, id="5 n log2 n"),
        pytest.param(
            lambda x: lax.fft(x, "RFFT", (16,)), [np.zeros((3, 16))], 3 * 5 * 16 * 2, 0, id="half for real"
        ),
    ],
)
def test_counts(
    graph: MakeGraph, function: Callable[..., Any], examples: list[Any], flops: int, transcendentals: int
) -> None:
    """Each family counts what its rule says, to the last operation."""
    total = graph(function, *examples).total
    assert (total.flops, total.transcendentals) == (flops, transcendentals)


@pytest.mark.parametrize(
    ("function", "examples", "read", "written"),
    [
        pytest.param(
            lambda x, y: x + y, [np.zeros((2, 3)), np.ones((2, 3))], 96, 48, id="operands and results"
        ),
        pytest.param(lambda x: x.astype(np.float32), [np.zeros(5)], 40, 20, id="by the types"),
        pytest.param(
            lambda x, i: lax.dynamic_slice(x, (i,), (3,)),
            [np.zeros(1000), np.int32(0)],
            28,
            24,
            id="what is taken",
        ),
        pytest.param(
            lambda x, y, i: lax.dynamic_update_slice(x, y, (i,)),
            [np.zeros(1000), np.zeros(3), np.int32(0)],
            28,
            24,
            id="what is changed",
        ),
    ],
)
def test_bytes(
    graph: MakeGraph, function: Callable[..., Any], examples: list[Any], read: int, written: int
) -> None:
    """Bytes are those of operands and results, but for operations that touch only a part."""
    nodes = [node for node in graph(function, *examples).nodes if node.cost.nbytes]
    assert [(node.cost.bytes_read, node.cost.bytes_written) for node in nodes[-1:]] == [(read, written)]


def test_a_scan_counts_its_length(graph: MakeGraph) -> None:
    """The body, times the trips; also where a scan stands in another."""

    def inner(x: Any) -> Any:
        return lax.scan(lambda c, _: (jnp.sin(c) * 2, None), x, None, length=7)[0]

    def outer(x: Any) -> Any:
        return lax.scan(lambda c, _: (inner(c), None), x, None, length=5)[0]

    total = graph(outer, np.zeros(3)).total
    assert (total.flops, total.transcendentals) == (3 * 7 * 5, 3 * 7 * 5)


def test_a_loop_without_a_known_end_counts_once(graph: MakeGraph) -> None:
    """And the graph says so."""

    def function(x: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < 9, lambda c: c * 2, x)

    made = graph(function, np.zeros(4))
    assert made.total.flops == 3 + 1 + 4
    assert not made.trips_known
    assert [region.trips for region in made.regions] == [1, None, None]


def test_a_choice_counts_its_dearest_branch(graph: MakeGraph) -> None:
    """Each count for itself."""

    def function(i: Any, x: Any) -> Any:
        return lax.switch(i, [jnp.sin, lambda x: x * 2 + 1, lambda x: x + 1], x)

    total = graph(function, np.int32(0), np.zeros(4)).total
    assert (total.flops, total.transcendentals) == (8, 4)


def test_what_no_result_needs_is_left_out(graph: MakeGraph) -> None:
    """As the compiler leaves it out."""

    def function(x: Any) -> Any:
        jnp.sin(x)
        return x + 1

    assert graph(function, np.zeros(3)).total.transcendentals == 0


def test_an_operation_without_a_rule_is_named() -> None:
    """Its bytes count, and its name is told, so that nobody takes the total for the whole."""
    primitive = jax.extend.core.Primitive("unheard_of")
    primitive.def_abstract_eval(lambda x: x)
    estimate = Estimate()
    assert estimate.jaxpr(jax.make_jaxpr(primitive.bind)(np.zeros(3))) == Cost(0, 0, 24, 24)
    assert estimate.uncounted == ("unheard_of",)


def test_costs_stay_within_64_bits() -> None:
    """A loop that would run for ages has the largest cost that can be sent."""
    assert Cost(flops=10**12).times(10**12).flops == 2**63 - 1
