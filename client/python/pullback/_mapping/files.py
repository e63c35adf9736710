"""Arrays in .npy files, mapped into memory, so that they may be larger than it."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr, open_memmap

from pullback._evaluation.tensors import Array
from pullback.errors import invalid_argument

Path = str | PathLike[str]


def opened(value: Any) -> Any:
    """A value with the arrays of .npy files in the place of their paths, also inside dicts, lists and tuples.

    Raises:
        OSError: If a file cannot be read.
        InvalidArgumentError: If one is no .npy file of numbers.
    """
    match value:
        case str() | PathLike():
            return _open(value)
        case dict():
            return {key: opened(part) for key, part in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(opened, value))
        case list() | tuple() if any(_may_hold_paths(part) for part in value):
            return type(value)(map(opened, value))
        case _:
            return value


def created(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A new .npy file as an array that is written through to it; one that was there is replaced.

    Raises:
        OSError: If it cannot be written.
        InvalidArgumentError: If the format has no such dtype.
    """
    if descr_to_dtype(dtype_to_descr(dtype)) != dtype:
        raise invalid_argument(
            "ELEMENT_TYPE_MISMATCH",
            f"a .npy file cannot say the dtype {dtype} of {path}; give an array as out=",
        )
    return open_memmap(fspath(path), mode="w+", dtype=dtype, shape=shape)


def _may_hold_paths(value: Any) -> bool:
    return isinstance(value, str | PathLike | dict | list | tuple)


def _open(path: Path) -> Array:
    try:
        return open_memmap(fspath(path), mode="r")
    except ValueError as error:
        raise invalid_argument(
            "MALFORMED_REQUEST", f"{path} is no .npy file of numbers, as numpy.save writes it: {error}"
        ) from error
