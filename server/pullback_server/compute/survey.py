"""Which derivatives a program has: each is traced once, without data, and nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.program.signature import Argument
from pullback_server.compute.compiler.trace import trace
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import ServiceError
from pullback_server.model.quantities import Quantity, Want

_QUANTITIES: Final = {
    DerivativeKind.FORWARD: Quantity.JVP,
    DerivativeKind.REVERSE: Quantity.VJP,
    DerivativeKind.SECOND_ORDER: Quantity.HVP,
}
# Each kind takes a few times as long to trace as the one before it; a registration should not wait longer.
_SECONDS: Final = 2.0
_GROWTH: Final = 3.0


def survey(
    program: LoadedProgram, clock: Callable[[], float] = perf_counter
) -> tuple[DerivativeSupport, ...]:
    """Finds out which derivatives a program has, each with respect to all arguments that can have it.

    Args:
        program: The program.
        clock: Tells the time, in seconds.

    Returns:
        The kinds in the order of `DerivativeKind`, without those that would take too long to try.
    """
    return tuple(_survey(program, clock))


def _survey(program: LoadedProgram, clock: Callable[[], float]) -> Iterator[DerivativeSupport]:
    started, last = clock(), program.seconds
    for kind, quantity in _QUANTITIES.items():
        before = clock()
        if before - started + _GROWTH * last > _SECONDS:
            return
        yield _support(program, kind, quantity)
        last = clock() - before


def _support(program: LoadedProgram, kind: DerivativeKind, quantity: Quantity) -> DerivativeSupport:
    arguments = program.signature.arguments
    suited = _is_whole if quantity is Quantity.HVP else _has_any
    argnums = tuple(number for number, argument in enumerate(arguments) if suited(argument))
    if not argnums:
        return DerivativeSupport(kind, supported=False, reason="no argument is of a floating-point type")
    if not any(leaf.element.differentiable for leaf in program.results):
        return DerivativeSupport(kind, supported=False, reason="no result is of a floating-point type")
    try:
        trace(program, (Want(quantity, argnums=argnums),))
    except ServiceError as error:
        return DerivativeSupport(kind, supported=False, reason=error.message)
    return DerivativeSupport(kind, supported=True)


def _has_any(argument: Argument) -> bool:
    return any(leaf.element.differentiable for leaf in argument.leaves)


def _is_whole(argument: Argument) -> bool:
    return bool(argument.leaves) and all(leaf.element.differentiable for leaf in argument.leaves)
