"""What can be wanted of a function, by JAX's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.signature import Signature
from pullback.v1 import evaluation_pb2

Quantity = Literal[
    "value", "grad", "jacobian", "jacfwd", "jacrev", "hessian", "jvp", "vjp", "hvp", "derivative"
]
Argnums = int | Sequence[int]

_WIRE: Final = {
    "value": evaluation_pb2.QUANTITY_VALUE,
    "grad": evaluation_pb2.QUANTITY_GRADIENT,
    "jacobian": evaluation_pb2.QUANTITY_JACOBIAN,
    "jacfwd": evaluation_pb2.QUANTITY_JACOBIAN,
    "jacrev": evaluation_pb2.QUANTITY_JACOBIAN,
    "hessian": evaluation_pb2.QUANTITY_HESSIAN,
    "jvp": evaluation_pb2.QUANTITY_JVP,
    "vjp": evaluation_pb2.QUANTITY_VJP,
    "hvp": evaluation_pb2.QUANTITY_HVP,
    "derivative": evaluation_pb2.QUANTITY_DERIVATIVE,
}
_MODES: Final = {"jacfwd": evaluation_pb2.MODE_FORWARD, "jacrev": evaluation_pb2.MODE_REVERSE}


@dataclass(frozen=True, slots=True)
class Want:
    """One quantity that is wanted of a function.

    Attributes:
        quantity: What, by JAX's name: `value`, `grad`, `jacobian` (forward or reverse as the server
            finds cheaper), `jacfwd`, `jacrev`, `hessian`, `jvp`, `vjp`, `hvp`, or `derivative`.
        argnums: As in JAX: an integer gives bare results, a sequence a tuple of them. None is argument
            0, and for `jvp` and `vjp` all arguments.
        order: The order of a `derivative`, from 1; 0 elsewhere.
        name: The key of its result; None is the quantity's name.
    """

    quantity: Quantity
    argnums: Argnums | None = None
    order: int = 0
    name: str | None = None

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.name or self.quantity


@dataclass(frozen=True, slots=True)
class ResolvedWant:
    """A want in which nothing is left to defaults.

    Attributes:
        quantity: What is wanted.
        key: The key of its result.
        argnums: The arguments to differentiate with respect to; empty for the value.
        bare: Whether `argnums` was an integer, so that results stand without a tuple.
        order: How often the result is differentiated, and so how deep its tree of arguments is.
    """

    quantity: Quantity
    key: str
    argnums: tuple[int, ...]
    bare: bool
    order: int


def resolve(
    wants: Iterable[Quantity | Want], signature: Signature, argnums: Argnums | None = None
) -> tuple[ResolvedWant, ...]:
    """Fills in defaults and checks.

    Args:
        wants: What is wanted, at least one.
        signature: The function's.
        argnums: For wants that do not say.

    Raises:
        InvalidArgumentError: If nothing or something unknown is wanted, two wants have one key, an order
            is missing or out of place, or argnums do not fit the signature.
    """
    chosen = [want if isinstance(want, Want) else Want(want) for want in _listed(wants)]
    keys = [want.key for want in chosen]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise _malformed(f"two wants have the key {twice[0]!r}; give one another: Want(..., name='other')")
    return tuple(_resolve(want, signature, argnums) for want in chosen)


def _listed(wants: Iterable[Quantity | Want]) -> list[Quantity | Want]:
    listed = [] if isinstance(wants, str) else list(wants)
    if not listed:
        raise _malformed(f"want={wants!r} is no list of what is wanted; pass one, such as ['value', 'grad']")
    return listed


def _resolve(want: Want, signature: Signature, argnums: Argnums | None) -> ResolvedWant:
    if want.quantity not in _WIRE:
        raise _malformed(f"{want.quantity!r} cannot be wanted; choose among {', '.join(_WIRE)}")
    if (want.quantity == "derivative") != (want.order > 0):
        raise _malformed(
            f"order={want.order} does not fit {want.quantity!r}; a derivative has one from 1, others none"
        )
    if want.quantity == "value":
        return ResolvedWant("value", want.key, (), bare=True, order=0)
    given = argnums if want.argnums is None else want.argnums
    numbers, bare = resolve_argnums(want.quantity, given, signature)
    return ResolvedWant(want.quantity, want.key, numbers, bare, want.order)


def resolve_argnums(
    quantity: Quantity, argnums: Argnums | None, signature: Signature
) -> tuple[tuple[int, ...], bool]:
    """The arguments to differentiate with respect to, and whether results stand without a tuple.

    Raises:
        InvalidArgumentError: If a number is out of range or stands twice.
    """
    count = len(signature.arguments)
    if argnums is None:
        argnums = range(count) if quantity in ("jvp", "vjp") else 0
    bare = isinstance(argnums, int)
    given = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for number in given:
        if not isinstance(number, int) or not -count <= number < count:
            raise _invalid_argnums(f"argnums={number!r} is out of range", signature)
    numbers = tuple(number % count for number in given)
    if len(set(numbers)) < len(numbers):
        raise _invalid_argnums(f"argnums={list(given)} has an argument twice", signature)
    if not numbers:
        raise _invalid_argnums("argnums is empty", signature)
    return numbers, bare


def want_to_wire(want: ResolvedWant) -> evaluation_pb2.Want:
    """The message of a want."""
    return evaluation_pb2.Want(
        quantity=_WIRE[want.quantity],
        mode=_MODES.get(want.quantity, evaluation_pb2.MODE_UNSPECIFIED),
        order=want.order,
        argnums=want.argnums,
    )


def quantity_name(number: int) -> str:
    """The name of a quantity's enum value, such as `grad`; the number as text if it is unknown here."""
    return next((name for name, value in _WIRE.items() if value == number), str(number))


def _malformed(message: str) -> InvalidArgumentError:
    return invalid_argument("MALFORMED_REQUEST", message)


def _invalid_argnums(what: str, signature: Signature) -> InvalidArgumentError:
    names = ", ".join(f"{number}: {argument.name}" for number, argument in enumerate(signature.arguments))
    return invalid_argument("INVALID_ARGNUMS", f"{what}; the arguments are {{{names}}}")
