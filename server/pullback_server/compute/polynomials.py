"""What sizes are in symbols, found from samples: polynomials of second degree with integer coefficients.

Knows no JAX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Final

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType, symbolic_type

# Products of sizes are looked for among so many symbols; among more, sums only.
_MOST_IN_PRODUCTS: Final = 4

Point = tuple[int, ...]
"""A size for each symbol."""
Monomial = tuple[int, ...]
"""The numbers of the symbols that are multiplied."""
Sample = tuple[Point, tuple[TensorType, ...]]
"""Types at a point."""


def symbolic_types(samples: Sequence[Sample], symbols: Sequence[str]) -> tuple[TensorType, ...] | None:
    """The types with expressions of symbols in the place of the sizes that differ from sample to sample.

    Args:
        samples: Types of equal elements and numbers of axes, at the points of `sample_points` or many of
            them.
        symbols: The names of the symbols.

    Returns:
        The types; None if a size follows from the symbols in no way that is looked for.
    """
    found: list[tuple[ElementType, tuple[int | str, ...]]] = []
    for leaf, first in enumerate(samples[0][1]):
        sizes = [
            _size([(point, types[leaf].shape[axis]) for point, types in samples], symbols)
            for axis in range(len(first.shape))
        ]
        if None in sizes:
            return None
        found.append((first.element, tuple(size for size in sizes if size is not None)))
    return tuple(symbolic_type(element, sizes) for element, sizes in found)


def sample_points(base: Point) -> Iterator[Point]:
    """Where to take samples: the base; each size two and three times, pairs two, all four times as large."""
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


def _size(samples: list[tuple[Point, int]], symbols: Sequence[str]) -> int | str | None:
    if len({size for _, size in samples}) == 1:
        return samples[0][1]
    for monomials in _bases(len(symbols)):
        coefficients = _fit(samples, monomials)
        if coefficients is not None:
            return _spell(coefficients, monomials, symbols)
    return None


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
