"""Graphs as plain data, as JSON has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pullback.graphs.data import Graph, Node


def as_plain(graph: Graph) -> dict[str, Any]:
    """A graph as dicts, lists, texts and numbers; each node has its number, as `id`, and its path."""
    return {
        "revision": graph.revision,
        "total": asdict(graph.total),
        "compiled": None if graph.compiled is None else asdict(graph.compiled),
        "uncounted": list(graph.uncounted),
        "nodes": [_node(graph, number, node) for number, node in enumerate(graph.nodes)],
        "edges": [asdict(edge) for edge in graph.edges],
        "regions": [asdict(region) for region in graph.regions],
    }


def _node(graph: Graph, number: int, node: Node) -> dict[str, Any]:
    return {
        "id": number,
        "kind": node.kind.value,
        "name": node.name,
        "region": node.region,
        "path": graph.path(number),
        "scope": node.scope,
        "results": [str(result) for result in node.results],
        "cost": asdict(node.cost),
        "runs": node.runs,
        "attributes": dict(node.attributes),
        "literals": {str(place): text for place, text in node.literals.items()},
        "rule": None if node.rule is None else {"origin": node.rule.origin.value, "name": node.rule.name},
    }
