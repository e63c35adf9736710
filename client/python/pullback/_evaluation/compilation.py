"""Compiling ahead of the first evaluation: its request and its progress; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pullback._durations import seconds
from pullback._evaluation.wants import Argnums, Quantity, Want, resolve, want_to_wire
from pullback.errors import invalid_argument
from pullback.program.signature import Signature
from pullback.v1 import evaluation_pb2

State = Literal["started", "ready"]
_STATES: Final[dict[int, State]] = {
    evaluation_pb2.CompileResponse.STATE_STARTED: "started",
    evaluation_pb2.CompileResponse.STATE_READY: "ready",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a compilation is.

    Attributes:
        state: `started` once a worker has begun, `ready` at the end.
        elapsed: Seconds since the call began.
        cached: With `ready`: whether the executable was there already.
    """

    state: State
    elapsed: float
    cached: bool


NOT_STARTED: Final = Progress("started", 0.0, cached=False)


def compile_request(
    revision: str,
    signature: Signature,
    wants: Iterable[Quantity | Want],
    *,
    argnums: Argnums | None,
    batch: int | None,
    shared: Iterable[str],
    sizes: Mapping[str, int] | None = None,
) -> evaluation_pb2.CompileRequest:
    """The request to compile ahead.

    Args:
        revision: The resource name of the function's revision.
        signature: Its signature.
        wants: What will be wanted together.
        argnums: For wants that do not say.
        batch: The number of points; None for a single point.
        shared: The names of the arguments that will not be batched.
        sizes: The size of each symbol of the signature.

    Raises:
        InvalidArgumentError: If a want does not fit the signature, a shared argument is unknown, or the sizes
            are not those of the signature's symbols.
    """
    require_sizes(signature, sizes or {})
    resolved = resolve(wants, signature, argnums)
    leaves = shared_leaves(signature, shared)
    return evaluation_pb2.CompileRequest(
        function=revision, wants=map(want_to_wire, resolved), batch=batch, shared_leaves=leaves, sizes=sizes
    )


def require_sizes(signature: Signature, sizes: Mapping[str, int]) -> None:
    """Makes sure that sizes are those of a signature's symbols.

    Raises:
        InvalidArgumentError: If one is missing or superfluous.
    """
    if set(sizes) != set(signature.symbols):
        example = ", ".join(f'"{symbol}": 8' for symbol in signature.symbols)
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"sizes={dict(sizes)} does not fit the signature; pass sizes={{{example}}}",
        )


def shared_leaves(signature: Signature, shared: Iterable[str]) -> list[int]:
    """The numbers of the leaves of arguments by their names.

    Raises:
        InvalidArgumentError: If an argument is unknown.
    """
    return [leaf for name in shared for leaf in signature.leaf_range(_argnum(signature, name))]


def _argnum(signature: Signature, name: str) -> int:
    names = [argument.name for argument in signature.arguments]
    if name not in names:
        raise invalid_argument(
            "ARGUMENT_COUNT_MISMATCH", f"there is no argument {name!r}; the arguments are {', '.join(names)}"
        )
    return names.index(name)


def progress_from_wire(message: evaluation_pb2.CompileResponse) -> Progress:
    """The progress of a message; a state that is unknown here counts as started."""
    return Progress(_STATES.get(message.state, "started"), seconds(message.elapsed), message.cached)
