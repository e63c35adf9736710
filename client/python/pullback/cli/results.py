"""How results look in a terminal, as JSON, and in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click
import numpy as np

from pullback._evaluation.results import FLOAT0
from pullback._evaluation.sparse import Sparse

_SHOWN: Final = 200
_OF_SPARSE: Final = ("values", "rows", "cols", "shape")


def result_as_json(tree: Any) -> Any:
    """A result as JSON has it: arrays as nested lists, a complex number as a pair of its parts.

    What has no derivative (float0) is null.
    """
    match tree:
        case np.ndarray():
            return _array_as_json(tree)
        case dict():
            return {key: result_as_json(value) for key, value in tree.items()}
        case tuple() if hasattr(tree, "_fields"):
            return {name: result_as_json(getattr(tree, name)) for name in tree._fields}
        case list() | tuple():
            return [result_as_json(value) for value in tree]
        case Sparse():
            return {name: result_as_json(getattr(tree, name)) for name in _OF_SPARSE}
        case _:
            return tree


def _array_as_json(array: np.ndarray[Any, np.dtype[Any]]) -> Any:
    if array.dtype == FLOAT0:
        return None
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1).tolist()
    wide = array if array.dtype.kind in "biu" else array.astype(np.float64)
    return wide.tolist()


def print_result(key: str, tree: Any) -> None:
    """Prints a result leaf by leaf, each as numpy prints it, after its path."""
    for path, leaf in _leaves(key, tree):
        text = np.array2string(leaf, threshold=_SHOWN) if isinstance(leaf, np.ndarray) else str(leaf)
        click.echo(f"{path} = {text}" if "\n" not in text else f"{path} =\n{text}")


def _leaves(path: str, tree: Any) -> Iterator[tuple[str, Any]]:
    match tree:
        case None:
            return
        case dict():
            for key, value in tree.items():
                yield from _leaves(f"{path}[{key!r}]", value)
        case tuple() if hasattr(tree, "_fields"):
            for name in tree._fields:
                yield from _leaves(f"{path}.{name}", getattr(tree, name))
        case list() | tuple():
            for index, value in enumerate(tree):
                yield from _leaves(f"{path}[{index}]", value)
        case Sparse():
            for name in _OF_SPARSE:
                yield f"{path}.{name}", np.asarray(getattr(tree, name))
        case _:
            yield path, tree


def result_arrays(key: str, tree: Any) -> dict[str, Any]:
    """The leaves of a result by their paths, such as `grad` or `grad['weight']`, for an `.npz` file."""
    return {path: leaf for path, leaf in _leaves(key, tree) if leaf.dtype != FLOAT0}
