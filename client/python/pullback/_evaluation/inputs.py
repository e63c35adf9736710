"""What goes into an evaluation, as flat arrays that were checked against the signature; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pullback._evaluation.arguments import bind, convert, flatten_value, is_batched, to_array
from pullback._evaluation.results import FLOAT0, require_result
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import TAKE_TANGENTS, ResolvedWant
from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.dimensions import SizeError
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Signature
from pullback.program.sizes import bind_sizes
from pullback.program.tensors import TensorType


@dataclass(frozen=True, slots=True)
class Inputs:
    """What goes into an evaluation, as the user gave it.

    Attributes:
        args: Arguments by position; the primals, where they come as one tuple.
        kwargs: Arguments by name.
        tangents: For JVP, HVP and GGN_VP: a tree for each argument in their argnums; None elsewhere.
        cotangents: For VJP: a tree like the result; None elsewhere.
        as_primals: Whether `args` are primals, and so a user's value that may not even be a tuple.
    """

    args: Sequence[Any]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    tangents: Sequence[Any] | None = None
    cotangents: Any = None
    as_primals: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """One array of a request.

    Attributes:
        array: The array, batched or shared.
        type: Its type in the signature.
        path: How to call it in messages.
    """

    array: Array
    type: TensorType
    path: str


@dataclass(frozen=True, slots=True)
class Collected:
    """All arrays of a request.

    Attributes:
        arguments: One for each leaf of the arguments.
        tangents: One for each differentiable leaf of the arguments in argnums of JVP, HVP and GGN_VP.
        cotangents: One for each differentiable leaf of the result, for VJP.
        points: The size of the batch; None where nothing is batched.
        signature: The signature at the sizes that the arguments have.
    """

    arguments: tuple[Input, ...]
    tangents: tuple[Input, ...]
    cotangents: tuple[Input, ...]
    points: int | None
    signature: Signature


def collect(signature: Signature, wants: Iterable[ResolvedWant], inputs: Inputs) -> Collected:
    """Flattens, converts and checks what goes into an evaluation.

    Raises:
        InvalidArgumentError: If a count, a structure, a shape, a dtype or the size of a batch does not fit,
            or tangents or cotangents are missing or superfluous.
    """
    wanted = tuple(wants)
    values = _leaves(signature, inputs)
    signature = _at_sizes_of(signature, values)
    arguments = _arguments(signature, values)
    tangents = _tangents(signature, wanted, inputs.tangents)
    cotangents = _cotangents(signature, wanted, inputs.cotangents)
    points = _points([*arguments, *tangents, *cotangents])
    return Collected(arguments, tangents, cotangents, points, signature)


def _leaves(signature: Signature, inputs: Inputs) -> list[Any]:
    if inputs.as_primals:
        _require_entries("primals", inputs.args, len(signature.arguments), "one for each argument")
    values = bind(signature, inputs.args, inputs.kwargs)
    return [
        leaf
        for argument, value in zip(signature.arguments, values, strict=True)
        for leaf in flatten_value(argument.tree, value, argument.name)
    ]


def _at_sizes_of(signature: Signature, leaves: Sequence[Any]) -> Signature:
    """The signature with the sizes of the arguments in the place of its symbols."""
    if not signature.symbols:
        return signature
    places = zip(leaves, signature.leaves, signature.paths, strict=True)
    shapes = [convert(leaf, kind, path).shape for leaf, kind, path in places]
    try:
        return signature.at(bind_sizes(signature, shapes))
    except SizeMismatchError as error:
        raise invalid_argument(
            "SHAPE_MISMATCH",
            str(error),
            argument=error.path,
            expected=error.expected,
            actual=error.actual,
        ) from error
    except SizeError as error:
        raise invalid_argument("SHAPE_MISMATCH", f"the arguments are of impossible sizes: {error}") from error


def _arguments(signature: Signature, leaves: Sequence[Any]) -> tuple[Input, ...]:
    places = zip(leaves, signature.leaves, signature.paths, strict=True)
    return tuple(Input(to_array(leaf, kind, path), kind, path) for leaf, kind, path in places)


def _tangents(
    signature: Signature, wants: Sequence[ResolvedWant], tangents: Sequence[Any] | None
) -> tuple[Input, ...]:
    takers = [want for want in wants if want.quantity in TAKE_TANGENTS]
    _require_presence("tangents", "jvp, hvp or ggn_vp", bool(takers), tangents is not None)
    if not takers or tangents is None:
        return ()
    numbers = takers[0].argnums
    if any(want.argnums != numbers for want in takers):
        raise invalid_argument(
            "INVALID_ARGNUMS",
            "jvp, hvp and ggn_vp in one evaluation share their tangents; give them the same argnums",
        )
    directions = _common_directions(takers, "tangents")
    _require_entries("tangents", tangents, len(numbers), f"one for each of argnums={list(numbers)}")
    arguments = [signature.arguments[number] for number in numbers]
    return tuple(
        tangent
        for argument, value in zip(arguments, tangents, strict=True)
        for tangent in _derivatives(
            flatten_value(argument.tree, value, f"the tangent of {argument.name}"),
            argument.leaves,
            [f"the tangent of {path}" for path in argument.paths],
            directions,
        )
    )


def _common_directions(takers: Sequence[ResolvedWant], what: str) -> int | None:
    directions = takers[0].directions
    if any(want.directions != directions for want in takers):
        raise _malformed(f"wants in one evaluation share their {what}; give them the same directions")
    return directions


def _cotangents(signature: Signature, wants: Sequence[ResolvedWant], cotangents: Any) -> tuple[Input, ...]:
    takers = [want for want in wants if want.quantity == "vjp"]
    _require_presence("cotangents", "vjp", bool(takers), cotangents is not None)
    if not takers:
        return ()
    directions = _common_directions(takers, "cotangents")
    result = require_result(signature)
    leaves = flatten_value(result.tree, cotangents, "the cotangent")
    return tuple(_derivatives(leaves, result.leaves, ["the cotangent"] * len(leaves), directions))


def _require_entries(what: str, value: Any, count: int, which: str) -> None:
    if not isinstance(value, tuple | list) or len(value) != count:
        size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
        raise invalid_argument(
            "ARGUMENT_COUNT_MISMATCH",
            f"{what} must be a tuple of {count}, {which}, but is a {type(value).__name__}{size}",
        )


def _require_presence(what: str, takers: str, taken: bool, given: bool) -> None:
    if taken and not given:
        raise _malformed(f"{takers} needs {what}=")
    if given and not taken:
        raise _malformed(f"{what}= is only for {takers}")


def _derivatives(
    leaves: Sequence[Any], types: Sequence[TensorType], paths: Sequence[str], directions: int | None
) -> Iterable[Input]:
    """The tangents or cotangents of what has derivatives; of the rest, only None or JAX's float0 will do."""
    for leaf, kind, path in zip(leaves, types, paths, strict=True):
        if kind.element.differentiable:
            directed = kind if directions is None else kind.batched(directions)
            yield Input(to_array(leaf, directed, path), directed, path)
        elif leaf is not None and getattr(leaf, "dtype", None) != FLOAT0:
            raise invalid_argument(
                "ELEMENT_TYPE_MISMATCH",
                f"{path} must be None or zeros of dtype float0, since {kind} has no derivative",
                argument=path,
            )


def _points(inputs: Sequence[Input]) -> int | None:
    sizes = {len(given.array): given.path for given in inputs if is_batched(given.array, given.type)}
    if len(sizes) > 1:
        listed = ", ".join(f"{path} has {size}" for size, path in sizes.items())
        raise invalid_argument(
            "SHAPE_MISMATCH", f"all batched arrays must have the same number of points, but {listed}"
        )
    return next(iter(sizes), None)


def _malformed(message: str) -> InvalidArgumentError:
    return invalid_argument("MALFORMED_REQUEST", message)
