"""What is written after `--arg`: types of arguments to register with, values to evaluate at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np

from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import LEAF, DictNode, ListNode, NamedTupleNode, Tree, TupleNode, unflatten


def parse_types(texts: Iterable[str]) -> tuple[list[TensorType], dict[str, TensorType]]:
    """Reads `f64[8]` and `x=f64[8]`.

    Returns:
        The types without a name, and those with one.

    Raises:
        MalformedProgramError: If a text is no type.
        BadParameter: If a name is given twice.
    """
    unnamed, named = split_named(texts)
    return [parse_tensor_type(text) for text in unnamed], {
        name: parse_tensor_type(text) for name, text in named.items()
    }


def split_named(texts: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Parts `name=text` from texts without a name.

    Raises:
        BadParameter: If a name is given twice.
    """
    unnamed: list[str] = []
    named: dict[str, str] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not (equals and name.strip().isidentifier()):
            unnamed.append(text)
        elif name.strip() in named:
            raise click.BadParameter(f"the argument {name.strip()!r} is given twice", param_hint="--arg")
        else:
            named[name.strip()] = rest.strip()
    return unnamed, named


def parse_values(texts: Iterable[str]) -> tuple[list[Any], dict[str, Any]]:
    """Reads values: JSON, or `@file.npy`, or `@file.npz`, each perhaps behind `name=`.

    Returns:
        The values by position, and those by name. An `.npz` file without a name before it gives each of
        its arrays by the array's name.

    Raises:
        BadParameter: If a text is neither.
        OSError: If a file cannot be read.
    """
    unnamed, texts_by_name = split_named(texts)
    named = {name: _parse_value(text) for name, text in texts_by_name.items()}
    values = [_parse_value(text) for text in unnamed]
    for archive in (value for value in values if isinstance(value, _Archive)):
        named |= archive
    positional = [value for value in values if not isinstance(value, _Archive)]
    return positional, {name: _as_plain(value) for name, value in named.items()}


class _Archive(dict[str, Any]):
    """The arrays of an `.npz` file by their names."""


def _as_plain(value: Any) -> Any:
    return dict(value) if isinstance(value, _Archive) else value


def _parse_value(text: str) -> Any:
    if text.startswith("@"):
        return _load(Path(text[1:]).expanduser())
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(
            f"{text!r} is no JSON ({error}); write a value like 1.5 or [1, 2, 3], or @file.npy",
            param_hint="--arg",
        ) from error


def _load(path: Path) -> Any:
    try:
        loaded = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise click.BadParameter(
            f"{path} is no .npy or .npz file of numbers: {error}", param_hint="--arg"
        ) from error
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            return _Archive(loaded)
    return loaded


def fit(tree: Tree, value: Any) -> Any:
    """Gives a value from JSON the containers of `tree`: JSON has lists for tuples, and dicts for named ones.

    What does not fit is left as it is, for the client to refuse with the place.
    """
    match tree, value:
        case ListNode(children=children), list() if len(value) == len(children):
            return [fit(child, part) for child, part in zip(children, value, strict=True)]
        case TupleNode(children=children), list() if len(value) == len(children):
            return tuple(fit(child, part) for child, part in zip(children, value, strict=True))
        case DictNode(keys=keys, children=children), dict() if set(value) == set(keys):
            return {key: fit(child, value[key]) for key, child in zip(keys, children, strict=True)}
        case NamedTupleNode(fields=fields, children=children), dict() if set(value) == set(fields):
            parts = [fit(child, value[field]) for field, child in zip(fields, children, strict=True)]
            return unflatten(NamedTupleNode(tree.type_name, fields, (LEAF,) * len(fields)), parts)
        case _:
            return value


def parse_argnums(text: str | None) -> int | tuple[int, ...] | None:
    """Reads `1` as an integer and `0,1` as a tuple, as JAX tells them apart.

    Raises:
        BadParameter: If it is neither.
    """
    if text is None:
        return None
    try:
        numbers = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no list of numbers such as 0,1", param_hint="--argnums"
        ) from error
    return numbers if "," in text or len(numbers) != 1 else numbers[0]


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """Reads `key=value`.

    Raises:
        BadParameter: If a text is not of this form.
    """
    pairs = [text.partition("=") for text in texts]
    wrong = [key for key, equals, _ in pairs if not (key and equals)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is no label; write it like key=value", param_hint="--label")
    return {key: value for key, _, value in pairs}


def parse_sizes(texts: Iterable[str]) -> dict[str, int]:
    """Reads `n=8`.

    Raises:
        BadParameter: If a text is not of this form.
    """
    pairs = [text.partition("=") for text in texts]
    wrong = ["".join(pair) for pair in pairs if not (pair[0].isidentifier() and pair[2].isdecimal())]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is no size; write it like n=8", param_hint="--size")
    return {name: int(size) for name, _, size in pairs}
