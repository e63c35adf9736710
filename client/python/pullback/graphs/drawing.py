"""Graphs as drawings, by Graphviz's program `dot` and the library `graphviz`, which calls it."""

from __future__ import annotations

import importlib
from typing import Any

from pullback.graphs.data import Graph
from pullback.graphs.dot import as_dot


class DrawingError(RuntimeError):
    """A graph cannot be drawn here. The message says what is missing, or what `dot` said."""


def as_svg(graph: Graph) -> str:
    """The graph as SVG.

    Raises:
        DrawingError: If the library or the program is missing, or the program fails.
    """
    graphviz = _library()
    try:
        drawing: str = graphviz.Source(as_dot(graph)).pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound as error:
        raise DrawingError(
            "drawing needs Graphviz's program dot, which is not on the PATH; install it with "
            "`apt-get install graphviz` (Debian, Ubuntu) or `brew install graphviz` (macOS), "
            "or take the graph as text or DOT, which need no program"
        ) from error
    except graphviz.CalledProcessError as error:
        raise DrawingError(f"Graphviz's program dot failed: {error}") from error
    return drawing


def _library() -> Any:
    try:
        return importlib.import_module("graphviz")
    except ModuleNotFoundError as error:
        raise DrawingError(
            "drawing needs the package graphviz; run pip install 'pullback[graph]', or take the graph as "
            "text or DOT, which need no package"
        ) from error
