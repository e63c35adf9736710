"""Graphs: what is shown of functions and of their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pullback.graphs.data import Cost, Graph, NodeKind, Origin
from pullback_server.compute.graph import limits
from pullback_server.compute.graph.merging import merge
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.quantities import Want

MakeGraph = Callable[..., Graph]
MakeWant = Callable[..., Want]


def recurrence(x: Any, steps: Any) -> Any:
    """A scalar that comes out of a loop with a known end."""
    final, _ = lax.scan(lambda c, a: (jnp.tanh(c) * a, None), x, steps)
    return final.sum()


def operations(graph: Graph, name: str) -> list[int]:
    """The numbers of the operations of a name."""
    return [i for i, node in enumerate(graph.nodes) if (node.kind, node.name) == (NodeKind.OPERATION, name)]


def test_the_gradient_of_a_scan(bench: Any, want: MakeWant, query: Callable[..., Any]) -> None:
    """Two loops, forth and back, each shown with its body, its trips, and the transformation it is of."""
    digest = bench.load(recurrence, np.zeros(3), np.zeros(5))
    graph = bench.kernel.graph(query(digest, want("gradient")))
    forth, back = (graph.nodes[number] for number in operations(graph, "scan"))
    assert ("transpose" in forth.scope, "transpose" in back.scope) == (False, True)
    assert [region.trips for region in graph.regions] == [1, 5, 5]
    (tanh,) = operations(graph, "tanh")
    assert graph.path(tanh) == "scan/body"
    assert graph.nodes[tanh].runs == 5
    assert graph.nodes[tanh].cost.transcendentals == 3
    assert forth.cost.transcendentals == 15
    assert [node.name for node in graph.nodes if node.kind is NodeKind.RESULT and node.region == 0] == [
        "gradient 0"
    ]


@pytest.mark.parametrize("quantity", ["value", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp"])
def test_every_quantity_has_a_graph(
    bench: Any, want: MakeWant, query: Callable[..., Any], quantity: str
) -> None:
    """Whose edges go from nodes to later ones, and whose nodes together cost the total."""
    digest = bench.load(recurrence, np.zeros(3), np.zeros(5))
    graph = bench.kernel.graph(query(digest, want(quantity)))
    assert graph.edges
    assert all(edge.source < edge.target for edge in graph.edges)
    assert all(edge.result < len(graph.nodes[edge.source].results) for edge in graph.edges)
    assert total_of_nodes(graph) == graph.total


def total_of_nodes(graph: Graph) -> Cost:
    """The cost of all nodes outside of any region."""
    return reduce(add, (node.cost for node in graph.nodes if node.region == 0), Cost())


def test_inputs_have_names(bench: Any, want: MakeWant, query: Callable[..., Any]) -> None:
    """Those of the signature, and then the directions."""
    digest = bench.load(lambda p, y: p["w"] * y, {"b": np.zeros(2), "w": np.zeros(3)}, np.zeros(3))
    graph = bench.kernel.graph(query(digest, want("jvp")))
    names = [node.name for node in graph.nodes if node.kind is NodeKind.ARGUMENT]
    assert names == ["x0['b']", "x0['w']", "x1", "tangent 0", "tangent 1"]


def test_a_batch_has_the_graph_of_all_its_points(
    bench: Any, want: MakeWant, query: Callable[..., Any]
) -> None:
    """Its shapes and its cost are those of the batch."""
    digest = bench.load(recurrence, np.zeros(3), np.zeros(5))
    point, batch = (bench.kernel.graph(query(digest, want("gradient"), points)) for points in (None, 4))
    assert str(batch.nodes[0].results[0]) == "f64[4,3]"
    assert batch.total.transcendentals == 4 * point.total.transcendentals


def test_depth_hides_and_counts(bench: Any, want: MakeWant, query: Callable[..., Any]) -> None:
    """What is not shown is counted nevertheless."""
    digest = bench.load(recurrence, np.zeros(3), np.zeros(5))
    whole, top = (bench.kernel.graph(query(digest, want("gradient"), depth=depth)) for depth in (None, 0))
    assert len(top.regions) == 1
    assert len(top.nodes) < len(whole.nodes)
    assert top.total == whole.total


def test_merging_joins_what_is_trivial(graph: MakeGraph) -> None:
    """Who took a broadcast takes what was broadcast, a number too, and nothing of the cost is lost."""

    def function(x: Any, y: Any) -> Any:
        return (x.astype(np.float64)[:, None] + y).reshape(6) * jnp.full(6, 2.0)

    made = graph(function, np.zeros(2, np.float32), np.zeros((1, 3)))
    merged = merge(made)
    assert {node.name for node in merged.nodes if node.kind is NodeKind.OPERATION} == {"add", "mul"}
    (mul,) = operations(merged, "mul")
    assert merged.nodes[mul].literals == {1: "2.0"}
    assert [edge.operand for edge in merged.edges if edge.target == operations(merged, "add")[0]] == [0, 1]
    assert merged.total == made.total == total_of_nodes(merged)


def test_merging_keeps_regions_with_their_nodes(graph: MakeGraph) -> None:
    """Numbers of nodes change, and regions follow."""

    def function(x: Any) -> Any:
        return lax.scan(lambda c, _: (c * 2, None), x.astype(np.float64), None, length=3)[0]

    merged = merge(graph(function, np.zeros(2, np.float32)))
    assert merged.nodes[merged.regions[1].owner or 0].name == "scan"


def test_the_compiler_s_word_stands_beside(bench: Any, want: MakeWant, query: Callable[..., Any]) -> None:
    """For a product of matrices both say the same."""
    digest = bench.load(jnp.dot, np.zeros((8, 16)), np.zeros((16, 32)))
    graph = bench.kernel.graph(query(digest, want("value"), compiled_cost=True))
    assert graph.compiled is not None
    assert graph.compiled.flops == graph.total.flops == 2 * 8 * 16 * 32
    assert graph.compiled.nbytes == graph.total.nbytes


def test_rules_of_what_is_not_exported(graph: MakeGraph) -> None:
    """Plain operations have JAX's own rules; integers, calls, and what stands under a custom rule none."""

    @jax.custom_jvp
    def custom(x: Any) -> Any:
        return jnp.sin(x)

    custom.defjvp(lambda x, t: (custom(*x), t[0]))
    made = graph(lambda x, n: jax.jit(custom)(x) * (n + 1), np.zeros(3), np.int32(1))
    rules = {node.name: node.rule for node in made.nodes if node.kind is NodeKind.OPERATION}
    assert rules["mul"] is not None
    assert (rules["mul"].origin, rules["mul"].name) == (Origin.LIFTED, "mul")
    assert rules["sin"] is rules["add"] is rules["jit"] is None


def test_a_graph_that_is_too_large(
    bench: Any, want: MakeWant, query: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with the number of nodes and with what to do, and shown with less depth."""
    monkeypatch.setattr("pullback_server.compute.graph.sketch.MOST_NODES", 9)
    assert limits.MOST_NODES > 9
    digest = bench.load(recurrence, np.zeros(3), np.zeros(5))
    with pytest.raises(ServiceError, match="show less depth") as caught:
        bench.kernel.graph(query(digest, want("gradient")))
    assert caught.value.reason is Reason.TOO_MANY_OPERATIONS
    assert bench.kernel.graph(query(digest, want("value"), depth=0)).nodes


def test_calls_of_calls_do_not_explode(graph: MakeGraph) -> None:
    """A function that calls one twice that calls one twice ... is refused, and costs are found at once."""

    def doubled(function: Callable[..., Any]) -> Callable[..., Any]:
        jitted = jax.jit(function)
        return lambda x: jitted(x) + jitted(jnp.sin(x))

    function: Callable[..., Any] = jnp.cos
    for _ in range(24):
        function = doubled(function)
    assert graph(function, np.float64(1), depth=0).total.transcendentals == 2**25 - 1
    with pytest.raises(ServiceError, match="show less depth"):
        graph(function, np.float64(1))


def test_random_keys_are_shown_as_their_bits(graph: MakeGraph) -> None:
    """A key has no element type of its own."""
    made = graph(
        lambda bits: jax.random.uniform(jax.random.wrap_key_data(bits), (3,)), np.zeros(2, np.uint32)
    )
    (wrap,) = operations(made, "random_wrap")
    assert str(made.nodes[wrap].results[0]) == "ui32[2]"
