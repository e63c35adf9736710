"""Names for the open sizes of a module's arguments, and what its results' sizes are in them.

A module with `?` in its types says neither which of them are equal nor how those of the results follow from
those of the arguments. Both are found by trying: the module is refined at several sizes. What is found holds
at all of them, and a module that contradicts it at others is refused there.

Some producers pass sizes as integers in front of the arrays, and make shapes of them. Where a module works
only if they are sizes, they are taken as such, and what is given for them does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice, permutations, takewhile
from typing import Final

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType, symbolic_type
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.reading.module import Module
from pullback_server.compute.formats.stablehlo.reading.specialization import OpenType, main_types, specialize
from pullback_server.compute.formats.stablehlo.syntax import Types
from pullback_server.compute.polynomials import Point, sample_points, symbolic_types
from pullback_server.errors import ServiceError

_MOST_TRIES: Final = 64
# A module of more bytes takes long to read, and is tried less often.
_LARGE: Final = 1 << 20
_MOST_TRIES_OF_LARGE: Final = 8
# So many open sizes can be equal in fewer ways than are tried.
_MOST_ENUMERATED: Final = 5
# Distinct sizes to try: even ones and those that are divided often first, since programs cut in halves.
_SIZES: Final = (
    (12, 24, 36, 60, 84, 108, 132, 156),
    (5, 7, 11, 13, 17, 19, 23, 29),
    (1, 2, 3, 4, 5, 6, 7, 8),
)

Partition = tuple[int, ...]
"""For each open size the number of its symbol, counted from 0 in the order of their first places."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A module that can be tried.

    Attributes:
        module: The module.
        types: The types of its arguments.
        partition: Which open sizes are equal.
        passed: For arguments that are sizes the number of the symbol.
    """

    module: bytes
    types: tuple[OpenType, ...]
    partition: Partition
    passed: tuple[int, ...] = ()

    def results(self, point: Point) -> Types | None:
        """The types of its results at some sizes; None if it does not take them."""
        try:
            return Module(self.specialized(point)).function("main").return_types
        except ServiceError:
            return None

    def specialized(self, point: Point) -> bytes:
        """The module at some sizes.

        Raises:
            ServiceError: As `specialize`.
        """
        numbers = {argument: point[symbol] for argument, symbol in enumerate(self.passed)}
        return specialize(self.module, self.at(point), numbers=numbers)

    def point_of(self, types: Types) -> Point:
        """The sizes of the symbols where its arguments have some types."""
        pairs = (
            (size, open_size)
            for kind, mine in zip(types, self.types, strict=True)
            for size, open_size in zip(kind.shape, mine.shape, strict=True)
        )
        chosen = [size for size, open_size in pairs if open_size is None]
        return tuple(chosen[self.partition.index(number)] for number in range(max(self.partition) + 1))

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
    trial, base = _first_that_works(module)
    symbols = [places[trial.partition.index(number)] for number in range(max(trial.partition) + 1)]
    open_sizes = iter(trial.partition)
    arguments = tuple(
        symbolic_type(
            kind.element, tuple(symbols[next(open_sizes)] if size is None else size for size in kind.shape)
        )
        for kind in types
    )
    return arguments, _result_types(trial, base, symbols)


def open_module_at(module: bytes, types: Types) -> bytes:
    """A module with open sizes at some types of its arguments.

    Raises:
        ServiceError: MALFORMED_PROGRAM if it does not take them.
    """
    trial, _ = _first_that_works(module)
    return trial.specialized(trial.point_of(types))


@lru_cache(maxsize=8)
def _first_that_works(module: bytes) -> tuple[_Trial, Point]:
    types, _ = main_types(module)
    for sizes in _SIZES:
        for trial in _tried(module, types):
            base = tuple(sizes[number % len(sizes)] for number in range(max(trial.partition) + 1))
            if trial.results(base) is not None:
                return trial, base
    # The last attempt says why.
    all_equal = (0,) * sum(kind.shape.count(None) for kind in types)
    _Trial(module, types, all_equal).specialized((_SIZES[0][0],))
    raise malformed("@main", "takes arguments of none of the sizes that were tried")


def _tried(module: bytes, types: tuple[OpenType, ...]) -> Iterator[_Trial]:
    """The first trials, and that with one symbol."""
    all_equal = (0,) * sum(kind.shape.count(None) for kind in types)
    most = _MOST_TRIES if len(module) < _LARGE else _MOST_TRIES_OF_LARGE
    return chain(islice(_trials(module, types), most), [_Trial(module, types, all_equal)])


def _trials(module: bytes, types: tuple[OpenType, ...]) -> Iterator[_Trial]:
    count = sum(kind.shape.count(None) for kind in types)
    leading = len(list(takewhile(_is_integer, types)))
    likely = [_by_axis(types)] if count > _MOST_ENUMERATED else []
    for partition in chain([tuple(range(count))], likely, _partitions(count)):
        symbols = max(partition) + 1
        yield _Trial(module, types, partition)
        if symbols == leading:
            for passed in permutations(range(symbols)):
                yield _Trial(module, types, partition, passed)


def _by_axis(types: tuple[OpenType, ...]) -> Partition:
    """Sizes are equal where they are of the same axis, as in elementwise programs."""
    axes = [axis for kind in types for axis, size in enumerate(kind.shape) if size is None]
    symbols = list(dict.fromkeys(axes))
    return tuple(symbols.index(axis) for axis in axes)


def _is_integer(kind: OpenType) -> bool:
    return not kind.shape and kind.element in (ElementType.I32, ElementType.I64)


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
    found = [(point, types) for point in sample_points(base) if (types := trial.results(point)) is not None]
    types = symbolic_types(found, symbols)
    if types is None:
        raise unsupported(
            "@main",
            "has a result whose size does not follow simply from those of the arguments",
            "say the sizes in the module, or export it from JAX with symbolic shapes",
        )
    return types
