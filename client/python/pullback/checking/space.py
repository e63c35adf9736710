"""Arguments as a space of directions to go in, and results as what changes on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.program.signature import Result, Signature
from pullback.program.trees import flatten, leaf_paths, structure_of, unflatten

_IMAGINARY: Final = 1j
_RANDOM: Final = "a random direction"
Leaves = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction in the space of the leaves that move.

    Attributes:
        where: The element that it moves, such as `x[3]`, or that it moves all.
        leaves: For each leaf that moves its change, in float64 or complex128, none larger than 1.
    """

    where: str
    leaves: Leaves


@dataclass(frozen=True, slots=True)
class Space:
    """What moves, and what changes.

    Attributes:
        signature: The function's, in which every size is known.
        result: Its result.
        argnums: The arguments that move.
    """

    signature: Signature
    result: Result
    argnums: tuple[int, ...]

    @property
    def moving(self) -> tuple[int, ...]:
        """The numbers of the leaves that move: those of floating-point or complex type."""
        numbers = (number for argnum in self.argnums for number in self.signature.leaf_range(argnum))
        return tuple(i for i in numbers if self.signature.leaves[i].element.differentiable)

    @property
    def changing(self) -> tuple[int, ...]:
        """The numbers of the result's leaves that have a derivative."""
        leaves = enumerate(self.result.leaves)
        return tuple(number for number, leaf in leaves if leaf.element.differentiable)

    @property
    def coordinates(self) -> int:
        """The dimensions of the space; a complex element has two."""
        kinds = (self.signature.leaves[number] for number in self.moving)
        return sum(kind.size * (2 if kind.element.is_complex else 1) for kind in kinds)

    def arguments(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with these leaves."""
        ranges = map(self.signature.leaf_range, range(len(self.signature.arguments)))
        pairs = zip(self.signature.arguments, ranges, strict=True)
        return tuple(unflatten(argument.tree, [leaves[i] for i in numbers]) for argument, numbers in pairs)

    def tangents(self, moved: Sequence[Array]) -> tuple[Any, ...]:
        """The tangents of the arguments that move, with None for leaves that cannot."""
        given = dict(zip(self.moving, moved, strict=True))
        return tuple(
            unflatten(
                self.signature.arguments[argnum].tree,
                [self._typed(given, number) for number in self.signature.leaf_range(argnum)],
            )
            for argnum in self.argnums
        )

    def _typed(self, given: dict[int, Array], number: int) -> Array | None:
        if number not in given:
            return None
        return given[number].astype(self.signature.leaves[number].element.dtype)

    def moved(self, point: Leaves, steps: Sequence[Array]) -> tuple[Any, ...]:
        """The arguments at many points: for each leaf that moves a batch of steps from a point."""
        leaves: list[Array] = list(point)
        for number, step in zip(self.moving, steps, strict=True):
            wide = widened(point[number]) + step
            leaves[number] = wide.astype(self.signature.leaves[number].element.dtype)
        return self.arguments(leaves)

    def value_leaves(self, value: Any) -> Leaves:
        """The leaves of a result that have a derivative, in float64 or complex128."""
        leaves = flatten(self.result.tree, value)
        return tuple(widened(leaves[number]) for number in self.changing)

    def result_paths(self) -> tuple[str, ...]:
        """The path of each leaf of the result that has a derivative."""
        paths = leaf_paths(self.result.tree, "result")
        return tuple(paths[number] for number in self.changing)

    def argument_paths(self) -> tuple[str, ...]:
        """The path of each leaf that moves."""
        return tuple(self.signature.paths[number] for number in self.moving)

    def directions(self, most: int, rng: np.random.Generator) -> tuple[Direction, ...]:
        """One direction for each element, or for so many of them, and then one that moves all."""
        chosen: Iterable[int] = range(self.coordinates)
        if self.coordinates > most:
            chosen = sorted(rng.choice(self.coordinates, most, replace=False))
        single = list(self._single(set(map(int, chosen))))
        if self.coordinates == 0:
            return ()
        return (*single, Direction(_RANDOM, self.random(rng)))

    def random(self, rng: np.random.Generator) -> Leaves:
        """A change of everything that moves, none larger than 1."""
        return tuple(
            _random(self.signature.leaves[number].shape, self._complex(number), rng) for number in self.moving
        )

    def _complex(self, number: int) -> bool:
        return self.signature.leaves[number].element.is_complex

    def _single(self, chosen: set[int]) -> Iterator[Direction]:
        zeros = tuple(self._zeros(number) for number in self.moving)
        count = 0
        for place, number in enumerate(self.moving):
            units = (1.0, _IMAGINARY) if self._complex(number) else (1.0,)
            for element in range(self.signature.leaves[number].size):
                for unit in units:
                    if count in chosen:
                        leaf = zeros[place].copy()
                        leaf.reshape(-1)[element] = unit
                        index = np.unravel_index(element, leaf.shape)
                        where = spell_place(self.signature.paths[number], index)
                        name = f"{where} (imaginary)" if unit is _IMAGINARY else where
                        yield Direction(name, (*zeros[:place], leaf, *zeros[place + 1 :]))
                    count += 1

    def _zeros(self, number: int) -> Array:
        dtype = np.complex128 if self._complex(number) else np.float64
        return np.zeros(self.signature.leaves[number].shape, dtype)


def _random(shape: tuple[int, ...], is_complex: bool, rng: np.random.Generator) -> Array:
    real = rng.uniform(-1, 1, shape)
    return (real + 1j * rng.uniform(-1, 1, shape)) / math.sqrt(2) if is_complex else np.asarray(real)


def widened(array: Any) -> Array:
    """An array in float64 or complex128, in which differences are taken."""
    found = np.asarray(array)
    return found.astype(np.complex128 if found.dtype.kind == "c" else np.float64)


def tree_leaves(tree: Any) -> Leaves:
    """The leaves of a derivative, in their order, in float64 or complex128; zeros of float0 are left out."""
    _, leaves = structure_of(tree)
    return tuple(widened(leaf) for leaf in leaves if np.asarray(leaf).dtype.names is None)


def spell_place(path: str, index: Sequence[Any]) -> str:
    """An element of a leaf, such as `x[3, 1]`; a scalar is its path."""
    return f"{path}[{', '.join(str(int(part)) for part in index)}]" if len(index) else path


def contract(changes: Array, leaf: Array) -> Array:
    """The products of many changes with the last axes of a leaf, summed.

    What is not finite in the leaf counts only for changes that touch it: zero times infinity is nothing here.

    Args:
        changes: Of shape (directions, *shape).
        leaf: Of shape (*others, *shape).

    Returns:
        An array of shape (directions, *others).
    """
    inner = changes.ndim - 1
    axes = (range(1, changes.ndim), range(leaf.ndim - inner, leaf.ndim))
    broken = ~np.isfinite(leaf)
    total = np.tensordot(changes, np.where(broken, 0.0, leaf), axes)
    if broken.any():
        touched = np.tensordot((changes != 0).astype(np.float64), broken.astype(np.float64), axes) > 0
        total = np.where(touched, np.nan, total)
    return np.asarray(total)
