"""What goes into a function, read from examples."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback.export._equations import type_of
from pullback.export._nodes import open_node
from pullback.export.errors import ExampleError
from pullback.program.elements import element_of
from pullback.program.errors import ProgramError
from pullback.program.signature import Argument
from pullback.program.tensors import TensorType
from pullback.program.trees import Tree, structure_of

_LARGE: Final = 8


@dataclass(frozen=True, slots=True)
class Examples:
    """The arguments of a function to be traced.

    Attributes:
        arguments: Their names, structures and types.
        leaves: The types of all leaves as JAX traces them.
        keys: The implementation of each leaf that is a random key, which travels as its data; else None.
    """

    arguments: tuple[Argument, ...]
    leaves: tuple[jax.ShapeDtypeStruct, ...]
    keys: tuple[str | None, ...] = ()


def needs_wide_types(examples: Sequence[Any]) -> bool:
    """Whether a leaf has a 64-bit type, so that JAX must keep such types while it traces."""
    return any(_is_wide(leaf) for leaf in jax.tree.leaves(examples))


def _is_wide(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    if not isinstance(dtype, np.dtype):
        return False
    return bool(dtype.itemsize // (2 if dtype.kind == "c" else 1) >= _LARGE)


def read_examples(examples: Sequence[Any], names: Sequence[str]) -> Examples:
    """The arguments that the examples stand for.

    Raises:
        ExampleError: If a leaf is no array, or of an element type that programs do not have.
    """
    arguments: list[Argument] = []
    leaves: list[jax.ShapeDtypeStruct] = []
    keys: list[str | None] = []
    for name, example in zip(names, examples, strict=True):
        tree, values = take_apart(name, example)
        types = [_type_of(name, value) for value in values]
        leaves += types
        keys += map(key_implementation, values)
        arguments.append(Argument(name, tree, tuple(map(tensor_type_of, types))))
    return Examples(tuple(arguments), tuple(leaves), tuple(keys))


def take_apart(what: str, value: Any, *, keep: bool = False) -> tuple[Tree, list[Any]]:
    """The structure and the leaves of a value, in the order of `pullback.program.trees`.

    Args:
        what: How to call it in messages.
        value: The value.
        keep: Whether containers that only this process knows are made again with what is no array in them.

    Raises:
        ExampleError: If a dict has keys that are not text.
    """
    try:
        return structure_of(value, partial(open_node, keep=keep))
    except ProgramError as error:
        raise ExampleError(f"{what}: {error}") from error


def key_implementation(leaf: Any) -> str | None:
    """The implementation of a random key, such as `threefry2x32`; None for any other leaf."""
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return None
    return str(jax.random.key_impl(leaf))


def tensor_type_of(leaf: Any) -> TensorType:
    """The tensor type of anything with a shape and a dtype.

    Raises:
        ExampleError: If programs have no such element type.
    """
    try:
        return TensorType(element_of(np.dtype(leaf.dtype)), tuple(map(int, leaf.shape)))
    except (ProgramError, TypeError) as error:
        raise ExampleError(f"arrays of element type {leaf.dtype} cannot be sent: {error}") from error


def _type_of(name: str, leaf: Any) -> jax.ShapeDtypeStruct:
    if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.eval_shape(jax.random.key_data, type_of(leaf.shape, leaf.dtype))
        weak = bool(getattr(leaf, "weak_type", False))
        return type_of(leaf.shape, leaf.dtype, weak=weak)
    try:
        aval = jax.typeof(leaf)
    except TypeError as error:
        raise ExampleError(
            f"{name} has a leaf of type {type(leaf).__name__}, which is no array; "
            "give arrays, numbers or jax.ShapeDtypeStruct"
        ) from error
    return type_of(aval.shape, aval.dtype, weak=bool(aval.weak_type))


def names_of(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of the first `count` parameters, or `arg0`, `arg1`, .. where they cannot be told."""
    numbered = tuple(f"arg{index}" for index in range(count))
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return numbered
    positional = [
        parameter.name
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    named = tuple(positional[:count])
    usable = all(name.isascii() for name in named) and not set(named) & set(numbered[len(named) :])
    return (*named, *numbered[len(named) :]) if usable else numbered
