"""Walks a graph: what each name stands for, given what goes in. Runs while JAX traces.

What depends on no argument is computed at once where it is small, since shapes and axes are made of such
values; the rest is traced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.bounds import BOUNDS, too_many_operations
from pullback_server.compute.formats.onnx.call import Call
from pullback_server.compute.formats.onnx.definitions import definition
from pullback_server.compute.formats.onnx.failures import ADVICE, malformed, require_shallow, unsupported
from pullback_server.compute.formats.onnx.limits import (
    LARGEST_FIXED,
    MAX_ELEMENTS,
    MAX_RANK,
)
from pullback_server.compute.formats.onnx.operators import control
from pullback_server.compute.formats.onnx.syntax import Function, Graph, Model, Node
from pullback_server.compute.formats.onnx.table import EXPANDED, LEARNING, REFUSED, RULES
from pullback_server.compute.formats.onnx.values import Value, elements, is_array, is_fixed
from pullback_server.errors import ServiceError

_LEARNING_DOMAIN: Final = "ai.onnx.ml"
_CONTROL: Final = frozenset(control.OPERATORS)


def evaluate(model: Model, arguments: Sequence[jax.Array]) -> list[Value]:
    """What a model gives for its inputs, in the order of its outputs.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION, MALFORMED_PROGRAM; with the name of the node.
    """
    walk = _Walk(model, _Budget(max([MAX_ELEMENTS, *(argument.size for argument in arguments)])))
    return walk.graph(model.graph, arguments, {}, model.opsets, {})


def require_served(model: Model) -> None:
    """Refuses a model that has an operator that is not served, wherever it stands.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION, with the name of the operator.
    """
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        _require_graph(model, graph)


def _require_graph(model: Model, graph: Graph) -> None:
    for node in graph.nodes:
        _require_operator(model, node)
        for value in node.attributes.values():
            if isinstance(value, Graph):
                _require_graph(model, value)


def _require_operator(model: Model, node: Node) -> None:
    if node.key in model.functions or _rule(node) is not None:
        return
    if not node.domain and node.operator in EXPANDED:
        return
    if not node.domain and node.operator in REFUSED:
        raise unsupported(node.operator, *REFUSED[node.operator])
    where = f" of the domain {node.domain!r}" if node.domain else ""
    raise unsupported(node.operator + where, "is unknown or not served", ADVICE)


def _rule(node: Node) -> Any:
    if not node.domain:
        return RULES.get(node.operator)
    return LEARNING.get(node.operator) if node.domain == _LEARNING_DOMAIN else None


@dataclass(slots=True)
class _Budget:
    """What the walk has taken of the limits.

    Attributes:
        elements: The most elements of an array that is made.
        nodes: How many nodes were evaluated.
        depth: How deep graphs are nested now.
    """

    elements: int
    nodes: int = 0
    depth: int = 0


Names = Mapping[str, Value]
Attributes = Mapping[str, Any]
Opsets = Mapping[str, int]


class _Walk:
    """The evaluation of one model."""

    def __init__(self, model: Model, budget: _Budget) -> None:
        self._model = model
        self._budget = budget

    def graph(
        self, graph: Graph, inputs: Sequence[Value], outer: Names, opsets: Opsets, attributes: Attributes
    ) -> list[Value]:
        """Evaluates a graph.

        Args:
            graph: The graph.
            inputs: What its inputs stand for.
            outer: What the names around it stand for.
            opsets: The versions of the domains.
            attributes: The attributes of the function that it is in.
        """
        names: dict[str, Value] = {**outer, **graph.constants}
        names.update(zip(graph.inputs, inputs, strict=False))
        self._budget.depth += 1
        require_shallow(self._budget.depth)
        for node in graph.nodes:
            self._step(node, names, opsets, attributes)
        self._budget.depth -= 1
        return [_found(names, name) if name else None for name in graph.outputs]

    def _step(self, node: Node, names: dict[str, Value], opsets: Opsets, attributes: Attributes) -> None:
        self._budget.nodes = count = self._budget.nodes + 1
        if count > BOUNDS.operations:
            raise too_many_operations(
                f"the ONNX model takes {count} nodes or more to evaluate", count, "make it smaller"
            )
        inputs = tuple(_found(names, name) if name else None for name in node.inputs)
        given = {name: attributes[other] for name, other in node.references.items() if other in attributes}
        own = {**node.attributes, **given}

        def run(graph: Graph, values: Sequence[Value]) -> list[Value]:
            return self.graph(graph, values, names, opsets, attributes)

        version = opsets.get(node.domain, 1)
        with _naming(node):
            results = self._call(Call(node, version, inputs, own, run))
        for name, value in zip(node.outputs, results, strict=False):
            self._require_size(node, value)
            names[name] = value

    def _require_size(self, node: Node, value: Value) -> None:
        largest = max(self._budget.elements, 0)
        if is_array(value) and (math.prod(value.shape) > largest or value.ndim > MAX_RANK):
            raise unsupported(
                node.operator,
                f"gives an array of shape {value.shape}, which is too large",
                "use smaller sizes",
            )

    def _call(self, call: Call) -> list[Value]:
        node = call.node
        function = self._model.functions.get(node.key)
        if function is not None:
            return self._function(function, call)
        rule = _rule(node)
        if rule is None:
            _require_operator(self._model, node)
            return self._function(definition(call), call)
        if node.operator in _CONTROL:
            return _listed(rule(call))
        return _folded(lambda: _listed(rule(call)), call.inputs)

    def _function(self, function: Function, call: Call) -> list[Value]:
        attributes = {**function.defaults, **call.attributes}
        padding = (None,) * (len(function.graph.inputs) - len(call.inputs))
        # A definition may leave out what a node does not ask for.
        wanted = zip_longest(function.graph.outputs, call.node.outputs, fillvalue="")
        outputs = tuple(own if asked else "" for own, asked in wanted)
        graph = replace(function.graph, outputs=outputs)
        return self.graph(graph, (*call.inputs, *padding), {}, function.opsets, attributes)


class _naming:  # noqa: N801 -- reads as a statement
    """Turns whatever JAX or NumPy raise for a node into an error that names it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ServiceError) or not isinstance(error, Exception):
            return
        name = f" ({self._node.name!r})" if self._node.name else ""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise malformed(f"ONNX's {self._node.operator}{name}", f"cannot be evaluated: {reason}") from error


def _found(names: Names, name: str) -> Value:
    if name not in names:
        raise malformed("the ONNX graph", f"uses {name!r}, which nothing gives")
    return names[name]


def _listed(result: Value | list[Value]) -> list[Value]:
    return result if isinstance(result, list) else [result]


def _folded(evaluate: Any, inputs: Sequence[Value]) -> list[Value]:
    """The results, computed at once if the inputs are known and all is small."""
    results: list[Value]
    if not all(map(_is_known, inputs)):
        results = evaluate()
        return results
    results = []

    def shapes() -> list[Any]:
        results[:] = evaluate()
        return [jnp.asarray(value) for value in jax.tree.leaves(results)]

    leaves = jax.eval_shape(shapes)
    if sum(leaf.size for leaf in leaves) > LARGEST_FIXED or sum(map(elements, inputs)) > LARGEST_FIXED:
        results = evaluate()
        return results
    with jax.ensure_compile_time_eval():
        return [jax.tree.map(np.asarray, value) for value in evaluate()]


def _is_known(value: Value) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_known, value))
    return value is None or is_fixed(value)
