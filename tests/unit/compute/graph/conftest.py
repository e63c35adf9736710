"""Graphs of Python functions, made as a worker makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import pytest

from pullback.graphs.data import Graph
from pullback_server.compute.graph.building import View, build
from pullback_server.model.evaluation import Compilation
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.quantities import Want


@pytest.fixture(scope="session")
def graph() -> Callable[..., Graph]:
    """Makes the graph of a function at example arguments."""

    def make(function: Callable[..., Any], *examples: Any, depth: int | None = None) -> Graph:
        jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*examples)
        leaves, results = jax.tree.leaves(examples), jax.tree.leaves(shapes)
        view = View(
            [f"x{i}" for i in range(len(leaves))], [f"y{i}" for i in range(len(results))], depth, rules=True
        )
        return build(jaxpr, view)

    return make


@pytest.fixture(scope="session")
def query() -> Callable[..., GraphQuery]:
    """Makes a query for the graph of one want."""

    def make(digest: str, want: Want, points: int | None = None, **options: Any) -> GraphQuery:
        return GraphQuery(Compilation(digest, (want,), points), **options)

    return make
