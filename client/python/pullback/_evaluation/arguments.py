"""What a user passes to a function, as arrays that fit the function's signature; without I/O."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.elements import ElementType, element_of
from pullback.program.errors import ProgramError, TreeMismatchError
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import Tree, flatten

# How numpy's kinds of numbers include one another: each can be converted to the later ones.
_RANK: Final = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def bind(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Puts positional and keyword arguments into the order of the signature.

    Raises:
        InvalidArgumentError: If there are too many or too few, or a name is unknown or given twice.
    """
    names = [argument.name for argument in signature.arguments]
    if len(args) > len(names):
        raise _count_mismatch(f"{len(args)} arguments were given to a function of {len(names)}", signature)
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in names:
            raise _count_mismatch(f"there is no argument {name!r}", signature)
        if name in given:
            raise _count_mismatch(f"the argument {name!r} was given twice", signature)
        given[name] = value
    missing = [name for name in names if name not in given]
    if missing:
        raise _count_mismatch(f"the argument {missing[0]!r} was not given", signature)
    return [given[name] for name in names]


def _count_mismatch(what: str, signature: Signature) -> InvalidArgumentError:
    expected = ", ".join(map(describe_argument, signature.arguments))
    return invalid_argument("ARGUMENT_COUNT_MISMATCH", f"{what}; the function takes ({expected})")


def describe_argument(argument: Argument) -> str:
    """An argument with the types of its leaves, such as `x: f64[8]`."""
    if argument.paths == (argument.name,):
        return f"{argument.name}: {argument.leaves[0]}"
    leaves = zip(argument.paths, argument.leaves, strict=True)
    return ", ".join(f"{path}: {leaf}" for path, leaf in leaves)


def flatten_value(tree: Tree, value: Any, path: str) -> list[Any]:
    """The leaves of a value with the structure `tree`.

    Raises:
        InvalidArgumentError: If it has another structure.
    """
    try:
        return flatten(tree, value, path)
    except TreeMismatchError as error:
        raise invalid_argument("ARGUMENT_COUNT_MISMATCH", str(error), argument=path) from error


def convert(value: Any, expected: TensorType, path: str) -> Array:
    """The array of a value, of the element type that is expected and of whatever shape; see `to_array`.

    Raises:
        InvalidArgumentError: If the value is no array, or its dtype does not fit.
    """
    return _convert(value, expected, path) if _is_plain(value) else _read(value, expected, path)


def to_array(value: Any, expected: TensorType, path: str) -> Array:
    """The array for one leaf.

    Numbers and nested lists of numbers are converted where their kind allows (an integer can become a
    float, a float not an integer); arrays must have the dtype that is expected.

    Args:
        value: A number, nested lists of numbers, or an array of numpy, JAX or another library that numpy
            can read.
        expected: The type in the signature.
        path: How to call the leaf in messages.

    Returns:
        An array of the expected shape, or of one more leading axis: the points of a batch.

    Raises:
        InvalidArgumentError: If the value is no array, or its dtype or shape does not fit.
    """
    array = convert(value, expected, path)
    if array.shape != expected.shape and array.shape[1:] != expected.shape:
        raise invalid_argument(
            "SHAPE_MISMATCH",
            f"{path} has the shape {list(array.shape)}; the signature has {expected}, so pass "
            f"{list(expected.shape)}, or one more leading axis for a batch",
            argument=path,
            expected=str(expected),
            actual=f"{expected.element.value}{list(array.shape)}".replace(" ", ""),
        )
    return array


def is_batched(array: Array, expected: TensorType) -> bool:
    """Whether an array that `to_array` gave has a batch's leading axis."""
    return array.ndim > len(expected.shape)


def _is_plain(value: Any) -> bool:
    """Whether a value is Python's own numbers, which have no dtype to keep."""
    return isinstance(value, bool | int | float | complex | list | tuple) and not isinstance(
        value, np.generic
    )


def _read(value: Any, expected: TensorType, path: str) -> Array:
    value = _without_wrapping(value)
    if not hasattr(value, "__array__") and not hasattr(value, "__array_interface__"):
        raise _type_mismatch(f"{path} is of type {type(value).__name__}; pass an array", expected, path)
    array = np.asarray(value)
    try:
        element = element_of(array.dtype)
    except ProgramError as error:
        raise _type_mismatch(f"{path}: {error}", expected, path) from error
    if element is not expected.element:
        dtype = expected.element.dtype
        cast = f"np.{dtype}" if dtype.isbuiltin == 1 else f"'{dtype}'"
        raise _type_mismatch(
            f"{path} has the dtype {array.dtype}; the signature has {expected}. Dtypes are kept: pass "
            f"{path}.astype({cast})",
            expected,
            path,
        )
    return array


def _without_wrapping(value: Any) -> Any:
    """The data of a random key of JAX (`jax.random.key`), and all else as it is."""
    if str(getattr(value, "dtype", "")).startswith("key<"):
        return importlib.import_module("jax").random.key_data(value)
    return value


def _convert(value: Any, expected: TensorType, path: str) -> Array:
    try:
        array: Array = np.asarray(value)
    except ValueError as error:
        raise invalid_argument(
            "SHAPE_MISMATCH", f"{path} is a list of rows of different lengths: {error}", argument=path
        ) from error
    if array.size == 0:
        return array.astype(expected.element.dtype)
    if _RANK.get(array.dtype.kind, len(_RANK)) > _rank(expected.element):
        raise _type_mismatch(
            f"{path} has numbers of dtype {array.dtype}, which {expected} cannot hold without loss; "
            "convert them first",
            expected,
            path,
        )
    return _checked_cast(array, expected, path)


def _rank(element: ElementType) -> int:
    if element.differentiable:
        return _RANK["c" if element.is_complex else "f"]
    return _RANK["b" if element is ElementType.I1 else "i"]


def _checked_cast(array: Array, expected: TensorType, path: str) -> Array:
    converted: Array = array.astype(expected.element.dtype)
    if not expected.element.differentiable and not np.array_equal(converted.astype(array.dtype), array):
        raise _type_mismatch(
            f"{path} has integers outside the range of {expected.element.value}", expected, path
        )
    return converted


def _type_mismatch(message: str, expected: TensorType, path: str) -> InvalidArgumentError:
    return invalid_argument("ELEMENT_TYPE_MISMATCH", message, argument=path, expected=str(expected))
