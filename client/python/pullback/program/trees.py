"""Nested containers of arrays ("pytrees") as plain data.

Leaves are numbered in depth-first order, the entries of a dict in the order of its sorted keys, as
`jax.tree_util` does; here it is done without JAX.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, assert_never

from pullback.program.errors import MalformedProgramError, TreeMismatchError


@dataclass(frozen=True, slots=True)
class Leaf:
    """The place of one array."""


@dataclass(frozen=True, slots=True)
class Empty:
    """Python's None: a container without leaves."""


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    children: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class TupleNode:
    """A tuple."""

    children: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class DictNode:
    """A dict with text keys, which are sorted."""

    keys: tuple[str, ...]
    children: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class NamedTupleNode:
    """A named tuple, with its fields in declaration order."""

    type_name: str
    fields: tuple[str, ...]
    children: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class CustomNode:
    """A container of a type that only this process knows, such as an equinox module.

    On the wire and in digests it is the dict of its parts, which is what any other process gives and gets.

    Attributes:
        type_name: The name of the type, for messages.
        keys: The names of its parts, which are sorted.
        children: The structures of its parts.
        take: Gives the parts of a value of the type, in the order of the keys; raises TreeMismatchError if
            the value is of another type, or differs in what is no array.
        make: Makes a value of the type from its parts.
    """

    type_name: str
    keys: tuple[str, ...]
    children: tuple[Tree, ...]
    take: Callable[[Any, str], Sequence[Any]] = field(compare=False, repr=False)
    make: Callable[[Sequence[Any]], Any] = field(compare=False, repr=False)


Tree = Leaf | Empty | ListNode | TupleNode | DictNode | NamedTupleNode | CustomNode

LEAF = Leaf()

Open = Callable[[Any], tuple[CustomNode, Sequence[Any]] | None]
"""Opens a value of a type that only this process knows: a node without children, and the parts."""


def _closed(_: Any) -> None:
    return None


def children_of(tree: Tree) -> tuple[Tree, ...]:
    """The children of a node; none for a leaf or None."""
    return () if isinstance(tree, Leaf | Empty) else tree.children


def count_leaves(tree: Tree) -> int:
    """The number of leaves."""
    return 1 if isinstance(tree, Leaf) else sum(map(count_leaves, children_of(tree)))


def has_custom_nodes(tree: Tree) -> bool:
    """Whether a container is of a type that only this process knows."""
    return isinstance(tree, CustomNode) or any(map(has_custom_nodes, children_of(tree)))


def structure_of(value: Any, opened: Open = _closed) -> tuple[Tree, list[Any]]:
    """Takes a value apart into its structure and its leaves.

    Args:
        value: Nested dict, list, tuple, named tuple and None; all else is a leaf.
        opened: Opens containers of other types.

    Raises:
        MalformedProgramError: If a dict has keys that are not text.
    """
    leaves: list[Any] = []
    return _take_apart(value, leaves, opened), leaves


def _take_apart(value: Any, leaves: list[Any], opened: Open) -> Tree:  # noqa: PLR0911 -- one for each kind
    found = opened(value)
    if found is not None:
        node, parts = found
        return replace(node, children=tuple(_take_apart(part, leaves, opened) for part in parts))
    match value:
        case None:
            return Empty()
        case dict():
            keys = _sorted_keys(value)
            return DictNode(keys, tuple(_take_apart(value[key], leaves, opened) for key in keys))
        case list():
            return ListNode(tuple(_take_apart(child, leaves, opened) for child in value))
        case tuple() if hasattr(value, "_fields"):
            children = tuple(_take_apart(child, leaves, opened) for child in value)
            return NamedTupleNode(type(value).__name__, tuple(value._fields), children)
        case tuple():
            return TupleNode(tuple(_take_apart(child, leaves, opened) for child in value))
        case _:
            leaves.append(value)
            return LEAF


def _sorted_keys(value: Mapping[Any, Any]) -> tuple[str, ...]:
    for key in value:
        if not isinstance(key, str):
            raise MalformedProgramError(
                f"a dict has the key {key!r}; keys must be text, so that every language has them"
            )
    return tuple(sorted(value))


def flatten(tree: Tree, value: Any, path: str = "") -> list[Any]:
    """Gives the leaves of a value that has the structure `tree`.

    What stands at the place of a leaf is taken as it is, so that a list of numbers can stand for an array.

    Args:
        tree: The structure.
        value: A value of that structure.
        path: How to call the value in messages, such as `x`.

    Raises:
        TreeMismatchError: If the value has another structure; the message says where.
    """
    if isinstance(tree, Leaf):
        return [value]
    pairs = zip(children_of(tree), _children(tree, value, path), strict=True)
    return [leaf for child, (name, part) in pairs for leaf in flatten(child, part, f"{path}{name}")]


def _children(tree: Tree, value: Any, path: str) -> list[tuple[str, Any]]:
    match tree:
        case Leaf():
            return []
        case Empty():
            _require(value is None, "None", value, path)
            return []
        case DictNode(keys=keys):
            fits = isinstance(value, Mapping) and set(value) == set(keys)
            _require(fits, f"a dict with the keys {list(keys)}", value, path)
            return [(f"[{key!r}]", value[key]) for key in keys]
        case CustomNode(keys=keys):
            return [(f"[{key!r}]", part) for key, part in zip(keys, _parts(tree, value, path), strict=True)]
        case NamedTupleNode(fields=fields):
            fits = isinstance(value, tuple) and getattr(value, "_fields", None) == fields
            _require(fits, f"a named tuple {tree.type_name} with the fields {list(fields)}", value, path)
            return [(f".{name}", part) for name, part in zip(fields, value, strict=True)]
        case ListNode() | TupleNode():
            kind = list if isinstance(tree, ListNode) else tuple
            fits = isinstance(value, kind) and len(value) == len(tree.children)
            _require(fits, f"a {kind.__name__} of {len(tree.children)}", value, path)
            return [(f"[{index}]", part) for index, part in enumerate(value)]
        case _:
            assert_never(tree)


def _parts(tree: CustomNode, value: Any, path: str) -> Sequence[Any]:
    """The parts of a value of the type itself, or of the dict that stands for it."""
    if isinstance(value, dict):
        _require(set(value) == set(tree.keys), f"a dict with the keys {list(tree.keys)}", value, path)
        return [value[key] for key in tree.keys]
    return tree.take(value, path)


def _require(fits: bool, expected: str, value: Any, path: str) -> None:
    if not fits:
        raise TreeMismatchError(f"{path or 'the value'} must be {expected}, but is {_describe(value)}")


def _describe(value: Any) -> str:
    match value:
        case None:
            return "None"
        case Mapping():
            return f"a dict with the keys {sorted(map(str, value))}"
        case list() | tuple():
            return f"a {type(value).__name__} of {len(value)}"
        case _:
            return f"of type {type(value).__name__}"


def unflatten(tree: Tree, leaves: Sequence[Any]) -> Any:
    """Puts leaves back into the structure `tree`; the opposite of `flatten`.

    Raises:
        TreeMismatchError: If the number of leaves is not that of the structure.
    """
    if len(leaves) != count_leaves(tree):
        raise TreeMismatchError(f"{len(leaves)} leaves were given for a structure of {count_leaves(tree)}")
    return _put_together(tree, iter(leaves))


def _put_together(tree: Tree, leaves: Iterator[Any]) -> Any:  # noqa: PLR0911 -- one for each kind of node
    match tree:
        case Leaf():
            return next(leaves)
        case Empty():
            return None
        case ListNode(children=children):
            return [_put_together(child, leaves) for child in children]
        case TupleNode(children=children):
            return tuple(_put_together(child, leaves) for child in children)
        case DictNode(keys=keys, children=children):
            return {key: _put_together(child, leaves) for key, child in zip(keys, children, strict=True)}
        case CustomNode(children=children):
            return tree.make([_put_together(child, leaves) for child in children])
        case NamedTupleNode(type_name=name, fields=fields, children=children):
            return _named_tuple(name, fields)(*[_put_together(child, leaves) for child in children])
        case _:
            assert_never(tree)


@cache
def _named_tuple(name: str, fields: tuple[str, ...]) -> type:
    return namedtuple(name, fields)  # noqa: PYI024 -- the fields come from data


def leaf_paths(tree: Tree, path: str = "") -> list[str]:
    """The path of each leaf, in order, such as `["layers"][0].weight`, for messages."""
    match tree:
        case Leaf():
            return [path]
        case Empty():
            return []
        case DictNode(keys=keys) | CustomNode(keys=keys):
            names = [f"[{key!r}]" for key in keys]
        case NamedTupleNode(fields=fields):
            names = [f".{name}" for name in fields]
        case ListNode() | TupleNode():
            names = [f"[{index}]" for index in range(len(tree.children))]
        case _:
            assert_never(tree)
    pairs = zip(names, children_of(tree), strict=True)
    return [leaf for name, child in pairs for leaf in leaf_paths(child, path + name)]
