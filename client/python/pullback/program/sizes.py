"""Finds the sizes of a signature's symbols from the shapes of arguments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from pullback.program.dimensions import SizeError, evaluate, solve, symbols_in
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType

Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of one argument, whose size is an expression.

    Attributes:
        expression: The expression.
        size: The size that came.
        path: The leaf.
        number: Which of the leaf's axes it is.
    """

    expression: str
    size: int
    path: str
    number: int

    def __str__(self) -> str:
        where = f"on axis {self.number}, where the signature has {self.expression}"
        return f"{self.path} has size {self.size} {where}"


def bind_sizes(signature: Signature, shapes: Sequence[tuple[int, ...]]) -> Sizes:
    """The size of each symbol of a signature.

    Args:
        signature: The signature.
        shapes: The shape of each leaf of the arguments: as in the signature, or with one more leading axis.

    Raises:
        SizeMismatchError: If a shape has another number of axes, sizes contradict each other, a symbol
            would be negative, or one cannot be found.
    """
    if not signature.symbols:
        return {}
    axes = [axis for axis in _axes(signature, shapes) if symbols_in(axis.expression)]
    sizes, open_axes = _solved(axes)
    missing = [symbol for symbol in signature.symbols if symbol not in sizes]
    if missing:
        raise _unbound(missing[0], open_axes, signature)
    for axis in axes:
        _require(axis, sizes, signature)
    return sizes


def _axes(signature: Signature, shapes: Sequence[tuple[int, ...]]) -> Iterator[_Axis]:
    for path, leaf, shape in zip(signature.paths, signature.leaves, shapes, strict=True):
        if not leaf.symbols:
            continue
        extra = len(shape) - len(leaf.shape)
        if extra not in (0, 1):
            raise SizeMismatchError(
                f"{path} has the shape {list(shape)}; the signature has {leaf}, so pass "
                f"{len(leaf.shape)} axes, or one more leading axis for a batch",
                path,
                str(leaf),
                _spell(leaf, shape),
            )
        for number, (text, size) in enumerate(zip(leaf.symbols, shape[extra:], strict=True)):
            if text:
                yield _Axis(text, size, path, number + extra)


def _solved(axes: list[_Axis]) -> tuple[Sizes, list[_Axis]]:
    """Solves what has one unknown, the first first, until nothing is left or nothing more can be found."""
    sizes: Sizes = {}
    unknown = [set(symbols_in(axis.expression)) for axis in axes]
    having: dict[str, list[int]] = defaultdict(list)
    for number, symbols in enumerate(unknown):
        for symbol in symbols:
            having[symbol].append(number)
    ready = [number for number, symbols in enumerate(unknown) if len(symbols) == 1]
    while ready:
        axis = axes[heappop(ready)]
        found = solve(axis.expression, axis.size, sizes)
        if found is None:
            continue
        sizes[found[0]] = found[1]
        for number in having[found[0]]:
            unknown[number].discard(found[0])
            if len(unknown[number]) == 1:
                heappush(ready, number)
    return sizes, [axis for axis, symbols in zip(axes, unknown, strict=True) if symbols]


def _require(axis: _Axis, sizes: Sizes, signature: Signature) -> None:
    try:
        expected = evaluate(axis.expression, sizes)
    except SizeError as error:
        raise _mismatch(f"{axis}, and {error}", axis, signature) from error
    chosen = ", ".join(f"{symbol} = {sizes[symbol]}" for symbol in symbols_in(axis.expression))
    if expected != axis.size:
        raise _mismatch(f"{axis}, that is {expected}, since {chosen} by the other sizes", axis, signature)
    if any(sizes[symbol] < 0 for symbol in symbols_in(axis.expression)):
        raise _mismatch(f"{axis}, so that {chosen}, and no size is negative", axis, signature)


def _unbound(symbol: str, rest: list[_Axis], signature: Signature) -> SizeMismatchError:
    for axis in rest:
        if symbol in symbols_in(axis.expression):
            return _mismatch(f"{axis}: no size of {symbol} fits", axis, signature)
    return SizeMismatchError(f"no argument says how large {symbol} is", "", symbol, "")


def _mismatch(message: str, axis: _Axis, signature: Signature) -> SizeMismatchError:
    expected = signature.leaves[signature.paths.index(axis.path)]
    return SizeMismatchError(message, axis.path, str(expected), str(axis.size))


def _spell(leaf: TensorType, shape: tuple[int, ...]) -> str:
    return str(TensorType(leaf.element, shape))
