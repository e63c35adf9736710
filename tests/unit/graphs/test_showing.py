"""Graphs as text, DOT, SVG and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from pullback.graphs.data import Cost, Graph, Region
from pullback.graphs.drawing import DrawingError

TEXT = """\
%0: f64[3] = argument x['say "hi"\\']
%1: f64[3], i1[3] = scan(%0)  {length=20000}  [transcendentals 60k, bytes 960k]  <library pullback.scan>  # transpose(jvp(pullback.scan))
  body x 20000:
    %2: f64[3] = argument 0
    %3: f64[3] = sin(%2)  [transcendentals 3, bytes 48 x 20000]
    result 0: f64[3] = %3
%5: f64[3] = constant
%6: f64[3] = mul(%1.0, 2.0)  [flops 3, bytes 56]
%7: f64[3] = while(%5, %6)  [flops 1, bytes 48]
  body x ?:
result value 0: f64[3] = %7
total: flops 4, transcendentals 60k, bytes 960k
compiled: flops 3, transcendentals 60k, bytes 48
a loop's trips depend on the data, and are counted once: costs are lower bounds
not counted but for the bytes: unheard_of
"""  # noqa: E501 -- as it is printed

drawn = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")


def test_text(graph: Graph) -> None:
    """A line for each node, what is inside of a node below it, and the totals."""
    assert graph.text() == TEXT


def test_text_of_nothing() -> None:
    """A function that gives nothing costs nothing."""
    assert Graph((), (), (Region(None, "main"),), Cost()).text() == "total: nothing\n"


def test_dot_has_a_cluster_for_each_region(graph: Graph) -> None:
    """And an edge for each operand, with the number of the result where there are several."""
    dot = graph.dot()
    assert dot.count("subgraph cluster_") == 2
    assert 'n1 -> n6 [taillabel="0"];' in dot
    assert "n0 -> n1;" in dot


@drawn
def test_svg_is_what_dot_makes_of_it(graph: Graph, tmp_path: Path) -> None:
    """Graphviz takes the DOT, and the drawing shows every node; names with quotes stay whole."""
    path = tmp_path / "graph.svg"
    drawing = graph.svg(path)
    assert path.read_text(encoding="utf-8") == drawing
    texts = "".join(ET.fromstring(drawing).itertext())  # noqa: S314 -- dot wrote it
    assert """x['say "hi"\\']""" in texts
    for name in ("scan", "sin", "mul(2.0)", "value 0", "body x 20000"):
        assert name in texts


def test_svg_without_the_program(graph: Graph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names what to install, and what needs nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DrawingError, match=r"apt-get install graphviz.*brew install graphviz.*text or DOT"):
        graph.svg()


def test_svg_without_the_library(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(DrawingError, match=r"pullback\[graph\]"):
        graph.svg()


def test_json_has_everything(graph: Graph) -> None:
    """Nodes with number, path and types; edges, regions and totals."""
    plain = json.loads(graph.json())
    sine = plain["nodes"][3]
    assert (sine["id"], sine["name"], sine["path"], sine["results"]) == (3, "sin", "scan/body", ["f64[3]"])
    assert sine["runs"] == 20_000
    assert plain["nodes"][1]["rule"] == {"origin": "library", "name": "pullback.scan"}
    assert plain["nodes"][6]["literals"] == {"1": "2.0"}
    assert plain["regions"][2] == {"owner": 7, "name": "body", "trips": None}
    assert plain["total"]["flops"] == 4
    assert len(plain["edges"]) == len(graph.edges)
