"""What the rule of an operator is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import numpy as np

from pullback_server.compute.formats.onnx.failures import malformed, unsupported
from pullback_server.compute.formats.onnx.syntax import Graph, Node
from pullback_server.compute.formats.onnx.values import Array, Fixed, Value, as_jax, is_array, is_fixed

_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator.

    Attributes:
        node: The node.
        version: The version of the operator set that the node's meaning follows.
        inputs: What goes in; None where an input is left out.
        attributes: The node's attributes, those of an enclosing function put in.
        run: Evaluates a graph of the node where the node stands.
    """

    node: Node
    version: int
    inputs: tuple[Value, ...]
    attributes: Mapping[str, Any]
    run: Callable[[Graph, Sequence[Value]], list[Value]]

    def attribute(self, name: str, default: Any = _REQUIRED) -> Any:
        """An attribute, or what stands for it where it is left out.

        Raises:
            ServiceError: MALFORMED_PROGRAM if it is left out and may not be.
        """
        found = self.attributes.get(name, default)
        if found is _REQUIRED:
            raise malformed(f"ONNX's {self.node.operator}", f"lacks the attribute {name}")
        return found

    def has(self, place: int) -> bool:
        """Whether there is an input at this place."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int) -> Array:
        """The array at a place, fixed or not."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if not is_array(found):
            raise malformed(f"ONNX's {self.node.operator}", f"lacks an array as input {place}")
        return found

    def array(self, place: int = 0) -> jax.Array:
        """The array at a place, for JAX."""
        return as_jax(self.value(place))

    def arrays(self) -> list[jax.Array]:
        """All inputs, for operators that take any number."""
        return [self.array(place) for place in range(len(self.inputs))]

    def optional(self, place: int) -> jax.Array | None:
        """The array at a place, or None."""
        return self.array(place) if self.has(place) else None

    def sequence(self, place: int = 0) -> tuple[Any, ...]:
        """The sequence at a place."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if not isinstance(found, tuple):
            raise malformed(f"ONNX's {self.node.operator}", f"lacks a sequence as input {place}")
        return found

    def fixed(self, place: int, what: str) -> Fixed:
        """The array at a place, which must not depend on arguments.

        Args:
            place: The place.
            what: What the operator takes it for, for messages.

        Raises:
            ServiceError: UNSUPPORTED_OPERATION if it depends on arguments.
        """
        found = self.value(place)
        if is_fixed(found):
            return found
        raise unsupported(
            self.node.operator,
            f"has {what} that depend on the values of arguments, and a compiled function has fixed shapes",
            "export the model so that shapes depend on nothing but shapes",
        )

    def integers(self, place: int, what: str) -> tuple[int, ...]:
        """As `fixed`, as a tuple of integers."""
        return tuple(int(each) for each in np.ravel(self.fixed(place, what)))

    def fixed_or_attribute(self, place: int, name: str, since: int) -> tuple[int, ...] | None:
        """Integers that were an attribute before a version and are an input since; None if left out."""
        if self.version < since:
            found = self.attribute(name, None)
            return None if found is None else tuple(int(each) for each in found)
        return self.integers(place, f"the {name}") if self.has(place) else None

    def refuse(self, why: str, advice: str | None = None) -> Exception:
        """The error of a use of the operator that is not served."""
        if advice is None:
            return unsupported(self.node.operator, why)
        return unsupported(self.node.operator, why, advice)


Rule = Callable[[Call], Value | list[Value]]
"""Gives the output, or a list of all outputs, as many as there are or fewer than the node names."""
