"""What can be wanted of a function, by JAX's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.signature import Signature
from pullback.v1 import evaluation_pb2

Quantity = Literal[
    "value",
    "grad",
    "jacobian",
    "jacfwd",
    "jacrev",
    "hessian",
    "jvp",
    "vjp",
    "hvp",
    "derivative",
    "ggn_vp",
    "hessian_diag",
    "laplacian",
]
Argnums = int | Sequence[int]
Mode = Literal["forward", "reverse"]

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
    "ggn_vp": evaluation_pb2.QUANTITY_GGN_VP,
    "hessian_diag": evaluation_pb2.QUANTITY_HESSIAN_DIAG,
    "laplacian": evaluation_pb2.QUANTITY_LAPLACIAN,
}
_MODES: Final = {"forward": evaluation_pb2.MODE_FORWARD, "reverse": evaluation_pb2.MODE_REVERSE}
_MODE_OF: Final[dict[str, tuple[Mode, ...]]] = {"jacfwd": ("forward",), "jacrev": ("reverse",)}
_JACOBIANS: Final = ("jacobian", "jacfwd", "jacrev")
TAKE_TANGENTS: Final = ("jvp", "hvp", "ggn_vp")
"""The quantities along tangents."""


@dataclass(frozen=True, slots=True)
class Want:
    """One quantity that is wanted of a function.

    Attributes:
        quantity: What, by JAX's name: `value`, `grad`, `jacobian` (forward or reverse as the server
            finds cheaper), `jacfwd`, `jacrev`, `hessian`, `jvp`, `vjp`, `hvp`, `derivative`, `ggn_vp`,
            `hessian_diag` or `laplacian`.
        argnums: As in JAX: an integer gives bare results, a sequence a tuple of them. None is argument
            0, and for `jvp` and `vjp` all arguments.
        order: The order of a `derivative`, from 1; 0 elsewhere.
        name: The key of its result; None is the quantity's name.
        modes: `"forward"` or `"reverse"` for each differentiation, innermost first: one for a `jacobian`,
            two for a `hessian`, `hessian_diag` or `laplacian`, as many as its order for a `derivative`. None
            is the server's choice.
        directions: For `jvp`, `vjp`, `hvp` and `ggn_vp`: how many tangents or cotangents are given at once,
            on a leading axis of theirs. None is one, without such an axis.
        sparse: For a Jacobian or Hessian: its entries with their coordinates, a `Sparse`.
    """

    quantity: Quantity
    argnums: Argnums | None = None
    order: int = 0
    name: str | None = None
    modes: Sequence[Mode] | None = None
    directions: int | None = None
    sparse: bool = False

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
        order: The order of a derivative; 0 elsewhere.
        modes: The modes that were asked for, innermost first; empty where the server chooses.
        directions: How many tangents or cotangents are given at once; None without such an axis.
        sparse: Whether entries with coordinates were asked for.
    """

    quantity: Quantity
    key: str
    argnums: tuple[int, ...]
    bare: bool
    order: int
    modes: tuple[Mode, ...] = ()
    directions: int | None = None
    sparse: bool = False


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
    modes = _modes(want)
    _check_extras(want)
    if want.quantity == "value":
        return ResolvedWant("value", want.key, (), bare=True, order=0)
    given = argnums if want.argnums is None else want.argnums
    numbers, bare = resolve_argnums(want.quantity, given, signature)
    return ResolvedWant(
        want.quantity, want.key, numbers, bare, want.order, modes, want.directions, want.sparse
    )


def _modes(want: Want) -> tuple[Mode, ...]:
    if want.modes is None:
        return _MODE_OF.get(want.quantity, ())
    levels = _levels(want)
    what = f"a sparse {want.quantity}" if want.sparse else want.quantity
    if not levels:
        raise _malformed(f"modes={want.modes!r} was given for {what}, whose modes the server chooses")
    modes = tuple(want.modes)
    if isinstance(want.modes, str) or len(modes) != levels or not set(modes) <= set(_MODES):
        raise _malformed(
            f"modes={want.modes!r} does not fit {what}; pass {levels} in a list, each forward or reverse, "
            "innermost first"
        )
    return modes


def _levels(want: Want) -> int:
    """How many modes a want can be given."""
    match want.quantity:
        case "jacobian":
            return 1
        case "hessian":
            return 0 if want.sparse else 2
        case "hessian_diag" | "laplacian":
            return 2
        case "derivative":
            return want.order
        case _:
            return 0


def _check_extras(want: Want) -> None:
    if want.sparse and want.quantity not in (*_JACOBIANS, "hessian"):
        raise _malformed(f"a {want.quantity} cannot be sparse; a jacobian and a hessian can")
    if want.directions is None:
        return
    if want.quantity not in (*TAKE_TANGENTS, "vjp"):
        raise _malformed(f"a {want.quantity} has no directions; jvp, vjp, hvp and ggn_vp have")
    if not isinstance(want.directions, int) or isinstance(want.directions, bool) or want.directions < 0:
        raise _malformed(
            f"directions={want.directions!r} is no number of directions; pass how many there are: len(v)"
        )


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
    of_jacobian = want.quantity in _JACOBIANS
    return evaluation_pb2.Want(
        quantity=_WIRE[want.quantity],
        mode=_MODES[want.modes[0]] if of_jacobian and want.modes else evaluation_pb2.MODE_UNSPECIFIED,
        order=want.order,
        argnums=want.argnums,
        modes=[] if of_jacobian else [_MODES[mode] for mode in want.modes],
        directions=want.directions,
        sparse=want.sparse,
    )


def quantity_name(number: int) -> str:
    """The name of a quantity's enum value, such as `grad`; the number as text if it is unknown here."""
    return next((name for name, value in _WIRE.items() if value == number), str(number))


def _malformed(message: str) -> InvalidArgumentError:
    return invalid_argument("MALFORMED_REQUEST", message)


def _invalid_argnums(what: str, signature: Signature) -> InvalidArgumentError:
    names = ", ".join(f"{number}: {argument.name}" for number, argument in enumerate(signature.arguments))
    return invalid_argument("INVALID_ARGNUMS", f"{what}; the arguments are {{{names}}}")
