"""Containers that are registered with JAX in this process: equinox modules, flax states, dataclasses.

A program knows the dict of their parts. What is no array in them (an activation function, a size) is part of
the function, as with `equinox.filter_jit`: it is constant, and must be the same in every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jax import tree_util

from pullback.program.errors import TreeMismatchError
from pullback.program.trees import CustomNode

_PLAIN = (dict, list, tuple, type(None))


@dataclass(frozen=True, slots=True)
class _Layout:
    """How values of a type are taken apart and made.

    Attributes:
        type_name: The name of the type.
        structure: JAX's structure of one level.
        places: The numbers of the parts that hold arrays, in the order of their keys.
        constants: The other parts by their numbers.
        names: The names of all parts by their numbers.
    """

    type_name: str
    structure: Any
    places: tuple[int, ...]
    constants: dict[int, Any]
    names: tuple[str, ...]

    def take(self, value: Any, path: str) -> Sequence[Any]:
        """The parts of a value that hold arrays."""
        parts, structure = _one_level(value)
        if structure != self.structure:
            raise TreeMismatchError(
                f"{path} must be a {self.type_name} like the one that the function was exported with, with "
                f"{self.structure}, but is a {type(value).__name__} with {structure}"
            )
        for number, constant in self.constants.items():
            _require_same(f"{path}.{self.names[number]}", constant, parts[number][1])
        return [parts[number][1] for number in self.places]

    def make(self, parts: Sequence[Any], keep: bool) -> Any:
        """A value from the parts that hold arrays, with the constants or with None in their places."""
        values = [self.constants.get(number) if keep else None for number in range(len(self.names))]
        for number, part in zip(self.places, parts, strict=True):
            values[number] = part
        return tree_util.tree_unflatten(self.structure, values)


def open_node(value: Any, *, keep: bool) -> tuple[CustomNode, list[Any]] | None:
    """Opens a container that is registered in this process; None for all else.

    Args:
        value: Any value.
        keep: Whether values that are made from the node again have its constants, as results have, or None in
            their places, as derivatives with respect to it have.
    """
    if isinstance(value, _PLAIN) or tree_util.all_leaves([value]):
        return None
    parts, structure = _one_level(value)
    names = _names([path for path, _ in parts])
    held = [number for number, (_, part) in enumerate(parts) if not _is_constant(part)]
    places = tuple(sorted(held, key=names.__getitem__))
    constants = {number: part for number, (_, part) in enumerate(parts) if number not in held}
    layout = _Layout(type(value).__name__, structure, places, constants, names)
    make = partial(layout.make, keep=keep)
    keys = tuple(names[number] for number in places)
    return CustomNode(layout.type_name, keys, (), layout.take, make), [parts[number][1] for number in places]


def _one_level(value: Any) -> tuple[list[tuple[Any, Any]], Any]:
    return tree_util.tree_flatten_with_path(value, is_leaf=lambda part: part is not value)


def _names(paths: Sequence[Any]) -> tuple[str, ...]:
    names = [_name(path[-1]) for path in paths]
    return tuple(names) if len(set(names)) == len(names) else tuple(map(str, range(len(names))))


def _name(key: Any) -> str:
    """The name in a key of JAX: of an attribute, an entry, or a number."""
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _is_constant(part: Any) -> bool:
    if part is None:
        return True
    return bool(tree_util.all_leaves([part])) and not (hasattr(part, "shape") and hasattr(part, "dtype"))


def _require_same(path: str, constant: Any, given: Any) -> None:
    # A derivative or tangent has None there.
    if given is None or given is constant:
        return
    try:
        same = bool(given == constant)
    except (TypeError, ValueError):
        same = False
    if not same:
        raise TreeMismatchError(
            f"{path} is {given!r}, and the function was exported with {constant!r}; what is no array "
            "is part of the function, so register it again, or make it an array"
        )
