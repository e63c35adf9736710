"""Graphs on the wire."""

from __future__ import annotations

from pullback.graphs.data import Graph, NodeKind, Origin
from pullback.graphs.wire import graph_from_wire, graph_to_wire
from pullback.v1 import graphs_pb2


def test_a_graph_comes_back_as_it_was(graph: Graph) -> None:
    """With what is left out, such as trips that nobody knows, left out again."""
    data = graph_to_wire(graph).SerializeToString()
    assert graph_from_wire(graphs_pb2.Graph.FromString(data), graph.revision) == graph


def test_what_a_newer_server_sends_is_read() -> None:
    """A kind and an origin that are unknown here count as an operation's and as a lifted rule's."""
    node = graphs_pb2.Node(name="later", rule=graphs_pb2.Rule(name="later"))
    node.kind, node.rule.origin = 99, 98  # type: ignore[assignment]
    read = graph_from_wire(graphs_pb2.Graph(nodes=[node]), "").nodes[0]
    assert read.kind is NodeKind.OPERATION
    assert read.rule is not None
    assert read.rule.origin is Origin.LIFTED
