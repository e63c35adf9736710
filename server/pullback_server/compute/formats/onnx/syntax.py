"""A model as plain data, without ONNX's messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pullback.program.elements import ElementType

Key = tuple[str, str, str]
"""A function's domain, name and overload."""


@dataclass(frozen=True, slots=True)
class Node:
    """One call of an operator or function.

    Attributes:
        operator: Its name.
        domain: Its domain; empty for ONNX's own.
        overload: Which of several functions of the name.
        name: The node's own name, for messages; may be empty.
        inputs: The names of the values that go in; empty where one is left out.
        outputs: The names of the values that come out; empty where one is not wanted.
        attributes: Numbers, texts, arrays, graphs, and tuples of these, by name.
        references: For a node in a function: which of its attributes are attributes of the function.
    """

    operator: str
    domain: str
    overload: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    references: Mapping[str, str]

    @property
    def key(self) -> Key:
        """What it calls."""
        return self.domain, self.operator, self.overload


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can be evaluated.

    Attributes:
        inputs: The names of what goes in.
        outputs: The names of what comes out.
        constants: Arrays by name.
        nodes: The nodes.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that nodes may call.

    Attributes:
        graph: Its body.
        opsets: The version of each domain in its body.
        defaults: Its attributes that have a value where a node gives none.
    """

    graph: Graph
    opsets: Mapping[str, int]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a model.

    Attributes:
        name: Its name in the model.
        element: The type of its elements.
        sizes: The size of each axis, a number or what the model calls it.
    """

    name: str
    element: ElementType
    sizes: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model.

    Attributes:
        graph: What it computes.
        inputs: The graph's inputs with their types; constants are none of them.
        opsets: The version of each domain.
        functions: The functions that it brings.
    """

    graph: Graph
    inputs: tuple[Port, ...]
    opsets: Mapping[str, int]
    functions: Mapping[Key, Function]
