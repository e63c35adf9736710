"""Leaves out of a graph what only changes how numbers are laid out or represented."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

from pullback.graphs.data import Cost, Edge, Graph, Node, NodeKind

_TRIVIAL: Final = frozenset(
    {
        *("broadcast_in_dim", "broadcast", "reshape", "squeeze", "expand_dims", "convert_element_type"),
        *("copy", "copy_p", "reduce_precision", "stop_gradient", "pvary", "name", "optimization_barrier"),
    }
)


@dataclass(frozen=True, slots=True)
class _Source:
    """What an operand is: a node's result, or a number."""

    node: int
    result: int
    literal: str | None = None


def merge(graph: Graph) -> Graph:
    """The graph without conversions, broadcasts, reshapes and their like.

    Who took their results takes their operands; their cost goes to the first that does, so that the
    costs of all nodes of a region still make that of the region.
    """
    gone = {number for number, node in enumerate(graph.nodes) if _is_trivial(node)}
    sources = _sources(graph)
    costs = _moved_costs(graph, gone)
    places = {
        number: place for place, number in enumerate(i for i in range(len(graph.nodes)) if i not in gone)
    }
    nodes, edges = [], []
    for number, place in places.items():
        node, literals = graph.nodes[number], dict(graph.nodes[number].literals)
        for operand, source in sources[number].items():
            origin = _origin(source, gone, sources)
            if origin.literal is not None:
                literals[operand] = origin.literal
            else:
                edges.append(Edge(places[origin.node], origin.result, place, operand))
        nodes.append(replace(node, cost=node.cost + costs[number], literals=literals))
    regions = tuple(
        region if region.owner is None else replace(region, owner=places[region.owner])
        for region in graph.regions
    )
    return replace(graph, nodes=tuple(nodes), edges=tuple(edges), regions=regions)


def _is_trivial(node: Node) -> bool:
    return node.kind is NodeKind.OPERATION and node.name in _TRIVIAL and len(node.results) == 1


def _sources(graph: Graph) -> list[dict[int, _Source]]:
    sources: list[dict[int, _Source]] = [
        {place: _Source(-1, 0, text) for place, text in node.literals.items()} for node in graph.nodes
    ]
    for edge in graph.edges:
        sources[edge.target][edge.operand] = _Source(edge.source, edge.result)
    return sources


def _origin(source: _Source, gone: set[int], sources: list[dict[int, _Source]]) -> _Source:
    while source.literal is None and source.node in gone:
        source = sources[source.node][0]
    return source


def _moved_costs(graph: Graph, gone: set[int]) -> dict[int, Cost]:
    takers: dict[int, int] = {}
    for edge in graph.edges:
        takers[edge.source] = min(takers.get(edge.source, edge.target), edge.target)
    costs: dict[int, Cost] = defaultdict(Cost)
    for number in sorted(gone):
        taker = number
        while taker in gone and taker in takers:
            taker = takers[taker]
        costs[taker] += graph.nodes[number].cost
    return costs
