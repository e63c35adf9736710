"""Programs that serve every size: read again for each that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pullback.program.dimensions import SizeError
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Result, Signature
from pullback.program.sizes import bind_sizes
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback_server.compute.polynomials import Point, sample_points, symbolic_types
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.functions import Findings

# What is tried before a program is accepted: even sizes first, then odd ones, small ones and large ones.
_SAMPLES: Final = (
    (12, 24, 36, 60),
    (5, 7, 11, 13),
    (2, 3, 4, 5),
    (64, 128, 256, 512),
    (1, 1, 1, 1),
    (2520, 5040, 7560, 10080),
)

Sizes = tuple[tuple[str, int], ...]
"""Symbols with their sizes, in the order of their names."""


@dataclass(frozen=True, slots=True)
class SymbolicProgram:
    """A program whose signature has symbols, and that was tried at some sizes.

    Attributes:
        signature: What goes in and what comes out, with symbols.
        findings: What was found in the program.
        nbytes: The size of the serialized program.
        load_at: Reads and traces it with a signature without symbols.
        sample: Sizes that it was tried at.
    """

    signature: Signature
    findings: Findings
    nbytes: int
    load_at: Callable[[Signature], LoadedProgram]
    sample: Sizes

    def sizes_of(self, shapes: Sequence[tuple[int, ...]]) -> Sizes:
        """The sizes that the shapes of arguments mean.

        Raises:
            ServiceError: SHAPE_MISMATCH if they contradict each other.
        """
        try:
            return tuple(sorted(bind_sizes(self.signature, shapes).items()))
        except (SizeMismatchError, ValueError) as error:
            raise service_error(Reason.SHAPE_MISMATCH, str(error)) from error

    def at(self, sizes: Sizes) -> LoadedProgram:
        """The program at some sizes.

        Raises:
            ServiceError: SHAPE_MISMATCH if it has no value at them, whatever the reason.
        """
        spelled = ", ".join(f"{symbol} = {size}" for symbol, size in sizes)
        try:
            return self.load_at(at_sizes(self.signature, dict(sizes)))
        except ServiceError as error:
            raise service_error(
                Reason.SHAPE_MISMATCH,
                f"the function has no value for {spelled}: {error.message}",
                sizes=spelled,
            ) from error


def symbolic_program(
    signature: Signature, nbytes: int, load_at: Callable[[Signature], LoadedProgram], *, says_signature: bool
) -> SymbolicProgram:
    """A program with symbols, after it was tried.

    Raises:
        ServiceError: What the first try says, if the program works at none of the sizes that are tried.
    """
    refusals: list[ServiceError] = []
    for sample in _samples(signature.symbols):
        try:
            load_at(at_sizes(signature, sample))
        except ServiceError as error:
            refusals.append(error)
        else:
            signature = _with_result(signature, sample, load_at)
            result = signature.result.leaves if signature.result is not None else ()
            found = Findings(result, signature if says_signature else None)
            return SymbolicProgram(signature, found, nbytes, load_at, tuple(sorted(sample.items())))
    raise refusals[0]


def _with_result(
    signature: Signature, sample: Mapping[str, int], load_at: Callable[[Signature], LoadedProgram]
) -> Signature:
    """The signature with its result, an array whose sizes are found by trying where nothing says them."""
    if signature.result is not None:
        return signature
    symbols = signature.symbols
    points = sample_points(tuple(sample[symbol] for symbol in symbols))
    found = [(point, results) for point in points if (results := _results(signature, point, load_at))]
    types = symbolic_types(found, symbols)
    if types is None:
        raise service_error(
            Reason.UNSUPPORTED_OPERATION,
            "the result has a size that does not follow simply from the symbols; register the function at "
            "fixed sizes",
            operation="symbolic sizes",
        )
    return replace(signature, result=Result(LEAF, types))


def _results(
    signature: Signature, point: Point, load_at: Callable[[Signature], LoadedProgram]
) -> tuple[TensorType, ...] | None:
    try:
        return load_at(at_sizes(signature, dict(zip(signature.symbols, point, strict=True)))).results
    except ServiceError:
        return None


def at_sizes(signature: Signature, sizes: Mapping[str, int]) -> Signature:
    """A signature with sizes put in.

    Raises:
        ServiceError: SHAPE_MISMATCH if a symbol has no size, or a size of the signature would be negative.
    """
    missing = [symbol for symbol in signature.symbols if symbol not in sizes]
    if missing:
        raise service_error(Reason.SHAPE_MISMATCH, f"no size was given for {missing[0]}; give sizes for all")
    try:
        chosen = signature.at(sizes)
    except SizeError as error:
        raise service_error(Reason.SHAPE_MISMATCH, f"the sizes {dict(sizes)} cannot be: {error}") from error
    result = chosen.result.leaves if chosen.result is not None else ()
    for leaf in (*chosen.leaves, *result):
        if any(size < 0 for size in leaf.shape):
            raise service_error(
                Reason.SHAPE_MISMATCH, f"the sizes {dict(sizes)} make a shape negative: {leaf}"
            )
    return chosen


def _samples(symbols: tuple[str, ...]) -> Iterator[dict[str, int]]:
    """Sizes to try, each once upwards and once downwards, since symbols may have an order."""
    for sizes in _SAMPLES:
        for named in (symbols, symbols[::-1]):
            yield {symbol: sizes[number % len(sizes)] for number, symbol in enumerate(named)}
