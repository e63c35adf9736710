"""Names for the open sizes of a module's arguments, and what its results' sizes are in them.

A module with `?` in its types says neither which of them are equal nor how those of the results follow from
those of the arguments. Both are found by trying: the module is refined at several sizes. What is found holds
at all of them, and a module that contradicts it at others is refused there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations, islice
from typing import Final

from pullback.program.tensors import TensorType, symbolic_type
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.reading import Module
from pullback_server.compute.formats.stablehlo.specialization import OpenType, main_types, specialize
from pullback_server.compute.formats.stablehlo.syntax import Types
from pullback_server.errors import ServiceError

_MOST_TRIES: Final = 64
# Distinct sizes to try: even ones and those that are divided often first, since programs cut in halves.
_SIZES: Final = (
    (12, 24, 36, 60, 84, 108, 132, 156),
    (5, 7, 11, 13, 17, 19, 23, 29),
    (1, 2, 3, 4, 5, 6, 7, 8),
)
# Products of sizes are looked for among so many symbols; among more, sums only.
_MOST_IN_PRODUCTS: Final = 4

Point = tuple[int, ...]
"""A size for each symbol."""
Partition = tuple[int, ...]
"""For each open size the number of its symbol, counted from 0 in the order of their first places."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A module that can be tried.

    Attributes:
        module: The module.
        types: The types of its arguments.
        partition: Which open sizes are equal.
    """

    module: bytes
    types: tuple[OpenType, ...]
    partition: Partition

    def results(self, point: Point) -> Types | None:
        """The types of its results at some sizes; None if it does not take them."""
        try:
            refined = specialize(self.module, self.at(point))
            return Module(refined).function("main").return_types
        except ServiceError:
            return None

    def at(self, point: Point) -> Types:
        """The types of its arguments at some sizes."""
        open_sizes = iter(self.partition)
        return tuple(
            TensorType(
                kind.element,
                tuple(point[next(open_sizes)] if size is None else size for size in kind.shape),
            )
            for kind in self.types
        )


def name_sizes(module: bytes, names: Sequence[str]) -> tuple[Types, Types]:
    """The types of a module's arguments and results, with symbols.

    A symbol has the name of the argument and the number of the axis where it stands first, such as `x_0`.

    Args:
        module: The module.
        names: The names of its arguments.

    Raises:
        ServiceError: MALFORMED_PROGRAM if it takes none of the sizes that were tried; UNSUPPORTED_OPERATION
            if the size of a result is no polynomial of second degree in those of the arguments.
    """
    types, _ = main_types(module)
    places = [
        f"{name}_{axis}"
        for name, kind in zip(names, types, strict=True)
        for axis, size in enumerate(kind.shape)
        if size is None
    ]
    trial, base = _first_that_works(module, types, len(places))
    symbols = [places[trial.partition.index(number)] for number in range(max(trial.partition) + 1)]
    open_sizes = iter(trial.partition)
    arguments = tuple(
        symbolic_type(
            kind.element, tuple(symbols[next(open_sizes)] if size is None else size for size in kind.shape)
        )
        for kind in types
    )
    return arguments, _result_types(trial, base, symbols)


def _first_that_works(module: bytes, types: tuple[OpenType, ...], count: int) -> tuple[_Trial, Point]:
    for sizes in _SIZES:
        for partition in chain(islice(_partitions(count), _MOST_TRIES), [(0,) * count]):
            trial = _Trial(module, types, partition)
            base = tuple(sizes[number % len(sizes)] for number in range(max(partition) + 1))
            if trial.results(base) is not None:
                return trial, base
    # The last attempt says why.
    all_equal = _Trial(module, types, (0,) * count)
    specialize(module, all_equal.at((_SIZES[0][0],)))
    raise malformed("@main", "takes arguments of none of the sizes that were tried")


def _partitions(count: int) -> Iterator[Partition]:
    """All ways in which sizes can be equal, those with more symbols first."""
    for classes in range(count, 0, -1):
        yield from _partitions_into((0,), count, classes)


def _partitions_into(start: Partition, count: int, classes: int) -> Iterator[Partition]:
    """Those with a number of symbols that begin in a given way."""
    used = max(start) + 1
    if len(start) == count:
        if used == classes:
            yield start
        return
    if classes - used > count - len(start):
        return
    for number in range(min(used, classes - 1) + 1):
        yield from _partitions_into((*start, number), count, classes)


def _result_types(trial: _Trial, base: Point, symbols: Sequence[str]) -> Types:
    points = list(_points(base))
    found = [(point, types) for point in points if (types := trial.results(point)) is not None]
    (_, first), *_ = found
    return tuple(
        symbolic_type(
            kind.element, tuple(_size(found, symbols, leaf, axis) for axis in range(len(kind.shape)))
        )
        for leaf, kind in enumerate(first)
    )


def _points(base: Point) -> Iterator[Point]:
    """The base; each size twice and three times as large; each pair, and all together, twice as large."""
    yield base
    numbers = range(len(base))
    for factor in (2, 3):
        for number in numbers:
            yield _scaled(base, {number}, factor)
    if len(base) <= _MOST_IN_PRODUCTS:
        for pair in combinations(numbers, 2):
            yield _scaled(base, set(pair), 2)
    yield _scaled(base, set(numbers), 4)


def _scaled(base: Point, chosen: set[int], factor: int) -> Point:
    return tuple(size * factor if number in chosen else size for number, size in enumerate(base))


def _size(found: list[tuple[Point, Types]], symbols: Sequence[str], leaf: int, axis: int) -> int | str:
    samples = [(point, types[leaf].shape[axis]) for point, types in found]
    if len({size for _, size in samples}) == 1:
        return samples[0][1]
    for monomials in _bases(len(symbols)):
        coefficients = _fit(samples, monomials)
        if coefficients is not None:
            return _spell(coefficients, monomials, symbols)
    raise unsupported(
        "@main",
        f"has a result whose axis {axis} has a size that does not follow simply from those of the arguments",
        "say the sizes in the module, or export it from JAX with symbolic shapes",
    )


Monomial = tuple[int, ...]
"""The numbers of the symbols that are multiplied."""


def _bases(count: int) -> Iterator[list[Monomial]]:
    linear: list[Monomial] = [(), *((number,) for number in range(count))]
    yield linear
    if count <= _MOST_IN_PRODUCTS:
        pairs = combinations(range(count), 2)
        yield [*linear, *((number, number) for number in range(count)), *pairs]


def _fit(samples: list[tuple[Point, int]], monomials: list[Monomial]) -> list[int] | None:
    """The integer coefficients with which monomials give all samples; None if there are none."""
    rows = [[Fraction(_product(point, monomial)) for monomial in monomials] for point, _ in samples]
    solution = _solve(rows, [Fraction(size) for _, size in samples])
    if solution is None or any(value.denominator != 1 for value in solution):
        return None
    return [int(value) for value in solution]


def _product(point: Point, monomial: Monomial) -> int:
    product = 1
    for number in monomial:
        product *= point[number]
    return product


def _solve(rows: list[list[Fraction]], values: list[Fraction]) -> list[Fraction] | None:
    """Solves linear equations exactly (Gauss-Jordan); None if there is no solution, or more than one."""
    table = [[*row, value] for row, value in zip(rows, values, strict=True)]
    count = len(rows[0])
    for column in range(count):
        pivot = next((i for i in range(column, len(table)) if table[i][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        table[column] = [entry / table[column][column] for entry in table[column]]
        for i, row in enumerate(table):
            if i != column and row[column]:
                table[i] = [a - row[column] * b for a, b in zip(row, table[column], strict=True)]
    if any(row[count] for row in table[count:]):
        return None
    return [table[i][count] for i in range(count)]


def _spell(coefficients: list[int], monomials: list[Monomial], symbols: Sequence[str]) -> str:
    terms = [
        (factor, "*".join(symbols[number] for number in monomial))
        for factor, monomial in zip(coefficients, monomials, strict=True)
        if factor
    ]
    terms.sort(key=lambda term: (not term[1], term[0] < 0))
    text = "".join(_term(factor, product) for factor, product in terms)
    return text.removeprefix("+")


def _term(factor: int, product: str) -> str:
    sign = "+" if factor > 0 else "-"
    if not product:
        return f"{sign}{abs(factor)}"
    return f"{sign}{product}" if abs(factor) == 1 else f"{sign}{abs(factor)}*{product}"
