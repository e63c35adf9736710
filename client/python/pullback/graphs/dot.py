"""Graphs in the DOT language of Graphviz (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pullback.graphs.data import Graph, Node, NodeKind
from pullback.graphs.labels import notes_of, spell_cost, spell_region

_SHAPES: Final = {
    NodeKind.ARGUMENT: "ellipse",
    NodeKind.CONSTANT: "note",
    NodeKind.OPERATION: "box",
    NodeKind.RESULT: "ellipse",
}
_PLAIN: Final = "#ffffff"
_FORWARD: Final = "#dbe9f6"
_BACKWARD: Final = "#fbe0d3"
_ENDS: Final = "#eeeeee"


def as_dot(graph: Graph) -> str:
    """A digraph with a cluster for each region; what runs backwards is red, what JAX derived else blue."""
    inside: list[list[int]] = [[] for _ in graph.nodes]
    contents: list[list[int]] = [[] for _ in graph.regions]
    for number, region in enumerate(graph.regions):
        if region.owner is not None:
            inside[region.owner].append(number)
    for number, node in enumerate(graph.nodes):
        contents[node.region].append(number)

    def region_lines(region: int, indent: str) -> Iterator[str]:
        for number in contents[region]:
            yield indent + _node(graph, number)
            for inner in inside[number]:
                yield f"{indent}subgraph cluster_{inner} {{"
                yield f"{indent}  label={_quote(spell_region(graph.regions[inner]))}; style=rounded;"
                yield from region_lines(inner, indent + "  ")
                yield f"{indent}}}"

    title = _quote("\n".join(notes_of(graph)))
    return "\n".join(
        [
            "digraph pullback {",
            f'  graph [fontname="Helvetica", compound=true, labelloc=t, label={title}];',
            '  node [fontname="Helvetica", fontsize=10, style="filled,rounded"];',
            '  edge [fontname="Helvetica", fontsize=8];',
            *region_lines(0, "  "),
            *_edges(graph),
            *_entrances(contents, graph),
            "}",
            "",
        ]
    )


def _node(graph: Graph, number: int) -> str:
    node = graph.nodes[number]
    attributes = {
        "label": "\n".join(_label(node)),
        "tooltip": _tooltip(graph, number),
        "shape": _SHAPES[node.kind],
        "fillcolor": _colour(node),
    }
    return f"n{number} [{_attributes(attributes)}];"


def _label(node: Node) -> Iterator[str]:
    literals = ", ".join(node.literals.values())
    yield f"{node.name}({literals})" if literals else node.name
    yield ", ".join(map(str, node.results))
    cost = spell_cost(node.cost)
    if cost:
        yield cost if node.runs == 1 else f"{cost} (x {node.runs})"
    if node.rule is not None:
        yield f"{node.rule.origin.value}: {node.rule.name}"


def _tooltip(graph: Graph, number: int) -> str:
    node = graph.nodes[number]
    attributes = [f"{name} = {value}" for name, value in node.attributes.items()]
    return "\n".join([f"%{number} {graph.path(number)}".rstrip(), *filter(None, [node.scope]), *attributes])


def _colour(node: Node) -> str:
    if node.kind is not NodeKind.OPERATION:
        return _ENDS
    if "transpose" in node.scope:
        return _BACKWARD
    return _FORWARD if "jvp" in node.scope else _PLAIN


def _edges(graph: Graph) -> Iterator[str]:
    for edge in graph.edges:
        # Of several results, which one.
        several = len(graph.nodes[edge.source].results) > 1
        label = f" [{_attributes({'taillabel': str(edge.result)})}]" if several else ""
        yield f"  n{edge.source} -> n{edge.target}{label};"


def _entrances(contents: list[list[int]], graph: Graph) -> Iterator[str]:
    """A dashed edge from each node to what is inside of it."""
    for number, region in enumerate(graph.regions):
        if region.owner is not None and contents[number]:
            style = _attributes({"style": "dashed", "arrowhead": "none", "lhead": f"cluster_{number}"})
            yield f"  n{region.owner} -> n{contents[number][0]} [{style}];"


def _attributes(attributes: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={_quote(value)}" for name, value in attributes.items())


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
