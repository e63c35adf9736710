"""From a traced plan to its graph, with names for what goes in and comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import jax

from pullback.graphs.data import LARGEST, Cost, Graph
from pullback_server.compute.abstract import abstract
from pullback_server.compute.compiler.compiler import compile_ahead, staged
from pullback_server.compute.compiler.layout import Batched
from pullback_server.compute.compiler.trace import Traced
from pullback_server.compute.failures import failing_as
from pullback_server.compute.graph.building import View, build
from pullback_server.compute.graph.limits import MOST_NODES
from pullback_server.compute.graph.merging import merge
from pullback_server.errors import Reason, exceeded
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.quantities import Quantity

_FLOPS: Final = "flops"
_TRANSCENDENTALS: Final = "transcendentals"
_BYTES: Final = "bytes accessed"
_BYTES_OUT: Final = "bytes accessedout{}"


def graph_of(traced: Traced, batched: Batched, query: GraphQuery) -> Graph:
    """The graph of a traced plan.

    Args:
        traced: The plan.
        batched: Which of its inputs are batched.
        query: What to show.

    Raises:
        ServiceError: TOO_MANY_OPERATIONS if it has more nodes than are given, COMPILATION_FAILED if it
            should be compiled and cannot be.
    """
    points = query.compilation.points
    function, inputs = staged(traced, batched, points)
    jaxpr = jax.make_jaxpr(function)(*traced.constants, *map(abstract, inputs))
    value_only = all(want.quantity is Quantity.VALUE for want in traced.plan.wants)
    view = View(
        arguments=tuple(_argument_names(traced)),
        results=tuple(_result_names(traced)),
        depth=query.depth,
        rules=value_only,
    )
    graph = build(jaxpr, view)
    if query.merge_trivial:
        graph = merge(graph)
    _require_few_nodes(graph)
    if query.compiled_cost:
        graph = replace(graph, compiled=_analysis(compile_ahead(traced, batched, points).compiled))
    return graph


def _argument_names(traced: Traced) -> Iterator[str]:
    plan = traced.plan
    yield from plan.program.signature.paths
    yield from (f"tangent {i}" for i in range(len(plan.tangents)))
    yield from (f"cotangent {i}" for i in range(len(plan.cotangents)))


def _result_names(traced: Traced) -> Iterator[str]:
    for want, leaves in zip(traced.plan.wants, traced.results, strict=True):
        yield from (f"{want.quantity.value} {i}" for i in range(len(leaves)))


def _require_few_nodes(graph: Graph) -> None:
    count = len(graph.nodes)
    if count > MOST_NODES:
        raise exceeded(
            Reason.TOO_MANY_OPERATIONS,
            f"the graph has {count} nodes",
            value=count,
            limit=MOST_NODES,
            setting="",
            advice="show less depth, or merge what is trivial, or ask for the graph of less",
        )


def _analysis(compiled: Any) -> Cost:
    """What XLA says of an executable; a number that it leaves out is 0."""
    with failing_as(Reason.COMPILATION_FAILED, "the compiler gives no analysis of what it compiled"):
        found = compiled.cost_analysis() or {}
    total, written = (_count(found, name) for name in (_BYTES, _BYTES_OUT))
    written = min(written, total)
    return Cost(_count(found, _FLOPS), _count(found, _TRANSCENDENTALS), total - written, written)


def _count(found: dict[str, float], name: str) -> int:
    return int(min(max(found.get(name, 0.0), 0.0), LARGEST))
