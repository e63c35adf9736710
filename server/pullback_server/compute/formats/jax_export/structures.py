"""The trees and types of an artifact of `jax.export`, as plain data.

The classes of the container are JAX's own, generated from its schema; they are not public, and
`tests/contract` pins what is used of them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, Final

from jax._src.export import serialization_generated as schema

from pullback.program.elements import ElementType
from pullback.program.errors import MalformedProgramError, TreeTooDeepError
from pullback.program.tensors import TensorType, symbolic_type
from pullback.program.trees import LEAF, DictNode, Empty, ListNode, NamedTupleNode, Tree, TupleNode
from pullback.program.wire import MOST_PARTS
from pullback_server.errors import Reason, service_error

_ORDERED_DICT: Final = "collections.OrderedDict"
_KINDS: Final = {value: name for name, value in vars(schema.DType).items() if isinstance(value, int)}
_DEEPEST: Final = 32
# A signature has two. Children may be shared, so that few bytes can be a great many.
_MOST_NODES: Final = MOST_PARTS // 2
# Keys of random number generators are arrays of words: the name of the type and the number of words.
_KEY_WORDS: Final = {"key_fry": 2, "key_rbg": 4, "key_unsafe_rbg": 4}
# JAX's type of derivatives of what has none, which StableHLO has as booleans.
_FLOAT0: Final = "f0"


def read_type(message: Any) -> TensorType:
    """The type of an argument or a result.

    A key of a random number generator is the array of its words; JAX's `float0` is an array of booleans.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if arrays cannot have the element type.
        MalformedProgramError: If a size is neither a number nor an expression of symbols.
    """
    name = _KINDS.get(message.Dtype(), str(message.Dtype()))
    sizes = tuple(_size(message.Shape(axis).decode()) for axis in range(message.ShapeLength()))
    if name in _KEY_WORDS:
        return symbolic_type(ElementType.UI32, (*sizes, _KEY_WORDS[name]))
    return symbolic_type(_element(name), sizes)


def is_float0(message: Any) -> bool:
    """Whether a type is JAX's `float0`, that of derivatives of what has none."""
    return _KINDS.get(message.Dtype()) == _FLOAT0


def read_tree(message: Any, depth: int = 0, numbers: Iterator[int] | None = None) -> Tree:
    """The structure of arguments or results.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if a container is none that programs have.
        MalformedProgramError: If it is no structure, or has too many nodes.
        TreeTooDeepError: If it is deeper than 32.
    """
    if message is None:
        raise MalformedProgramError("a structure is missing")
    if depth > _DEEPEST:
        raise TreeTooDeepError(_DEEPEST)
    numbers = numbers or itertools.count(1)
    if next(numbers) > _MOST_NODES:
        raise MalformedProgramError(f"a structure has more than {_MOST_NODES} nodes")
    children = tuple(
        read_tree(message.Children(i), depth + 1, numbers) for i in range(message.ChildrenLength())
    )
    kinds = schema.PyTreeDefKind
    match message.Kind():
        case kinds.leaf:
            return LEAF
        case kinds.none:
            return Empty()
        case kinds.tuple:
            return TupleNode(children)
        case kinds.list:
            return ListNode(children)
        case kinds.dict:
            keys = tuple(message.ChildrenNames(i).decode() for i in range(message.ChildrenNamesLength()))
            return _dict(keys, children)
        case kinds.custom:
            return _custom(message, children)
        case kind:
            raise MalformedProgramError(f"a structure has a node of the unknown kind {kind}")


def _size(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _element(name: str) -> ElementType:
    try:
        return ElementType.I1 if name in ("bool", _FLOAT0) else ElementType(name.replace("_", ""))
    except ValueError as error:
        raise service_error(
            Reason.UNSUPPORTED_OPERATION,
            f"jax.export has an argument or result of element type {name}, which is not served; the element "
            f"types are {', '.join(ElementType)}",
            operation="jax.export",
        ) from error


def _dict(keys: tuple[str, ...], children: tuple[Tree, ...]) -> Tree:
    if list(keys) != sorted(set(keys)) or len(keys) != len(children):
        raise MalformedProgramError(f"a dict has the keys {list(keys)}, which are not sorted, each once")
    return DictNode(keys, children)


def _custom(message: Any, children: tuple[Tree, ...]) -> Tree:
    """A named tuple or an ordered dict, whose fields stand in the container as JSON."""
    name = message.CustomName().decode()
    fields = _fields(message, len(children))
    if name == _ORDERED_DICT and fields is not None and list(fields) == sorted(fields):
        return DictNode(fields, children)
    type_name = name.rpartition(".")[2]
    if fields is None or name == _ORDERED_DICT or not all(map(_is_name, (type_name, *fields))):
        raise service_error(
            Reason.UNSUPPORTED_OPERATION,
            f"jax.export has a container of the type {name!r}, which only its own Python knows; export a "
            "function of dicts with sorted keys, lists, tuples and named tuples, such as "
            "lambda *leaves: jax.tree.leaves(f(jax.tree.unflatten(tree, leaves)))",
            operation=f"container {name}",
        )
    return NamedTupleNode(type_name, fields, children)


def _fields(message: Any, count: int) -> tuple[str, ...] | None:
    """The names of a node's children; None where the node does not say them as JSON."""
    data = b"" if message.CustomAuxdataIsNone() else message.CustomAuxdataAsNumpy().tobytes()
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    named = isinstance(fields, list) and all(isinstance(field, str) for field in fields)
    return tuple(fields) if named and len(fields) == count == len(set(fields)) else None


def _is_name(text: str) -> bool:
    return text.isidentifier() and not text.startswith("_")
