"""What goes into an evaluation, as flat arrays that were checked against the signature; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from pullback._evaluation.arguments import bind, convert, flatten_value, to_array
from pullback._evaluation.results import FLOAT0, require_result
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import TAKE_TANGENTS, ResolvedWant
from pullback.errors import InvalidArgumentError, invalid_argument
from pullback.program.dimensions import SizeError
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Signature
from pullback.program.sizes import bind_sizes
from pullback.program.tensors import TensorType
from pullback.program.trees import Leaf, Tree


class Inputs(NamedTuple):
    """What goes into an evaluation, as the user gave it.

    Attributes:
        args: Arguments by position; the primals, where they come as one tuple.
        kwargs: Arguments by name.
        tangents: For JVP, HVP and GGN_VP: a tree for each argument in their argnums; None elsewhere.
        cotangents: For VJP: a tree like the result; None elsewhere.
        as_primals: Whether `args` are primals, and so a user's value that may not even be a tuple.
    """

    args: Sequence[Any]
    kwargs: Mapping[str, Any] = MappingProxyType({})
    tangents: Sequence[Any] | None = None
    cotangents: Any = None
    as_primals: bool = False


class Input(NamedTuple):
    """One array of a request.

    Attributes:
        array: The array, batched or shared.
        type: Its type in the signature.
        path: How to call it in messages.
    """

    array: Array
    type: TensorType
    path: str


class Collected(NamedTuple):
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
    return Layout(at_sizes_of(signature, inputs), wanted).collect(inputs)


def at_sizes_of(signature: Signature, inputs: Inputs) -> Signature:
    """The signature with the sizes of the arguments in the place of its symbols.

    Raises:
        InvalidArgumentError: If the arguments do not fit, or contradict each other.
    """
    if not signature.symbols:
        return signature
    values = _bound(signature, inputs)
    trees = zip(signature.arguments, values, strict=True)
    leaves = [
        leaf for argument, value in trees for leaf in flatten_value(argument.tree, value, argument.name)
    ]
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


class Place(NamedTuple):
    """Where an array goes.

    Attributes:
        type: What it must be at one point.
        path: How to call it in messages.
        dtype: Its dtype.
        shape: Its shape at one point.
    """

    type: TensorType
    path: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]


class Group(NamedTuple):
    """The leaves of one tree.

    Attributes:
        tree: Its structure.
        name: How to call it in messages.
        places: Where its leaves go.
    """

    tree: Tree
    name: str
    places: tuple[Place, ...]


class Layout:
    """What goes into the evaluations of some wants, and where: found once, for every call.

    Args:
        signature: The function's, without symbols.
        wants: What is wanted.

    Raises:
        InvalidArgumentError: If the wants cannot share their tangents or cotangents.
    """

    __slots__ = ("_arguments", "_cotangents", "_taker", "_tangents", "signature")

    def __init__(self, signature: Signature, wants: Sequence[ResolvedWant]) -> None:
        self.signature = signature
        self._arguments = tuple(
            Group(each.tree, each.name, _places(each.leaves, each.paths, None))
            for each in signature.arguments
        )
        self._taker = next((want for want in wants if want.quantity in TAKE_TANGENTS), None)
        self._tangents = _tangent_groups(signature, wants)
        self._cotangents = _cotangent_group(signature, wants)

    @property
    def arguments(self) -> tuple[Place, ...]:
        """Where the leaves of the arguments go."""
        return tuple(place for group in self._arguments for place in group.places)

    @property
    def tangents(self) -> tuple[Place, ...]:
        """Where tangents go."""
        return tuple(place for group in self._tangents for place in group.places if _derived(place))

    @property
    def cotangents(self) -> tuple[Place, ...]:
        """Where cotangents go."""
        return (
            tuple(place for place in self._cotangents.places if _derived(place)) if self._cotangents else ()
        )

    def collect(self, inputs: Inputs) -> Collected:
        """Flattens, converts and checks what goes into one evaluation.

        Raises:
            InvalidArgumentError: If a count, a structure, a shape, a dtype or the size of a batch does not
                fit, or tangents or cotangents are missing or superfluous.
        """
        arguments = self._read_arguments(inputs)
        tangents = self._read_tangents(inputs.tangents)
        cotangents = self._read_cotangents(inputs.cotangents)
        points = _points((*arguments, *tangents, *cotangents))
        return Collected(arguments, tangents, cotangents, points, self.signature)

    def _read_arguments(self, inputs: Inputs) -> tuple[Input, ...]:
        values = _bound(self.signature, inputs)
        return tuple(
            [
                _read(leaf, place)
                for group, value in zip(self._arguments, values, strict=True)
                for leaf, place in _leaves(group, value)
            ]
        )

    def _read_tangents(self, tangents: Sequence[Any] | None) -> tuple[Input, ...]:
        taker = self._taker
        if taker is None:
            if tangents is not None:
                raise _malformed("tangents= is only for jvp, hvp or ggn_vp")
            return ()
        if tangents is None:
            raise _malformed("jvp, hvp or ggn_vp needs tangents=")
        groups = self._tangents
        _require_entries("tangents", tangents, len(groups), f"one for each of argnums={list(taker.argnums)}")
        pairs = zip(groups, tangents, strict=True)
        return tuple([tangent for group, value in pairs for tangent in _derivatives(group, value)])

    def _read_cotangents(self, cotangents: Any) -> tuple[Input, ...]:
        group = self._cotangents
        if group is None:
            if cotangents is not None:
                raise _malformed("cotangents= is only for vjp")
            return ()
        if cotangents is None:
            raise _malformed("vjp needs cotangents=")
        return tuple(_derivatives(group, cotangents))


def _places(leaves: Iterable[TensorType], paths: Iterable[str], directions: int | None) -> tuple[Place, ...]:
    return tuple(
        _place(
            leaf if directions is None or not leaf.element.differentiable else leaf.batched(directions), path
        )
        for leaf, path in zip(leaves, paths, strict=True)
    )


def _place(kind: TensorType, path: str) -> Place:
    return Place(kind, path, kind.element.dtype, kind.shape)


def _derived(place: Place) -> bool:
    return place.type.element.differentiable


def _tangent_groups(signature: Signature, wants: Sequence[ResolvedWant]) -> tuple[Group, ...]:
    takers = [want for want in wants if want.quantity in TAKE_TANGENTS]
    if not takers:
        return ()
    numbers = takers[0].argnums
    if any(want.argnums != numbers for want in takers):
        raise invalid_argument(
            "INVALID_ARGNUMS",
            "jvp, hvp and ggn_vp in one evaluation share their tangents; give them the same argnums",
        )
    directions = _common_directions(takers, "tangents")
    return tuple(
        Group(
            argument.tree,
            f"the tangent of {argument.name}",
            _places(argument.leaves, [f"the tangent of {path}" for path in argument.paths], directions),
        )
        for argument in (signature.arguments[number] for number in numbers)
    )


def _cotangent_group(signature: Signature, wants: Sequence[ResolvedWant]) -> Group | None:
    takers = [want for want in wants if want.quantity == "vjp"]
    if not takers:
        return None
    directions = _common_directions(takers, "cotangents")
    result = require_result(signature)
    paths = ["the cotangent"] * len(result.leaves)
    return Group(result.tree, "the cotangent", _places(result.leaves, paths, directions))


def _common_directions(takers: Sequence[ResolvedWant], what: str) -> int | None:
    directions = takers[0].directions
    if any(want.directions != directions for want in takers):
        raise _malformed(f"wants in one evaluation share their {what}; give them the same directions")
    return directions


def _bound(signature: Signature, inputs: Inputs) -> Sequence[Any]:
    """The values of the arguments in the order of the signature."""
    args, count = inputs.args, len(signature.arguments)
    if inputs.as_primals:
        _require_entries("primals", args, count, "one for each argument")
    if len(args) == count and not inputs.kwargs:
        return args
    return bind(signature, args, inputs.kwargs)


def _leaves(group: Group, value: Any) -> Iterable[tuple[Any, Place]]:
    tree, name, places = group
    if isinstance(tree, Leaf):
        return ((value, places[0]),)
    return zip(flatten_value(tree, value, name), places, strict=True)


def _read(value: Any, place: Place) -> Input:
    kind, path, dtype, shape = place
    if type(value) is np.ndarray and value.dtype == dtype:
        given = value.shape
        if given == shape or given[1:] == shape:
            return Input(value, kind, path)
    return Input(to_array(value, kind, path), kind, path)


def _require_entries(what: str, value: Any, count: int, which: str) -> None:
    if not isinstance(value, tuple | list) or len(value) != count:
        size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
        raise invalid_argument(
            "ARGUMENT_COUNT_MISMATCH",
            f"{what} must be a tuple of {count}, {which}, but is a {type(value).__name__}{size}",
        )


def _derivatives(group: Group, value: Any) -> Iterator[Input]:
    """The tangents or cotangents of what has derivatives; of the rest, only None or JAX's float0 will do."""
    for leaf, place in _leaves(group, value):
        if _derived(place):
            yield _read(leaf, place)
        elif leaf is not None and getattr(leaf, "dtype", None) != FLOAT0:
            raise invalid_argument(
                "ELEMENT_TYPE_MISMATCH",
                f"{place.path} must be None or zeros of dtype float0, since {place.type} has no derivative",
                argument=place.path,
            )


def _points(inputs: Sequence[Input]) -> int | None:
    points: int | None = None
    for given in inputs:
        array = given.array
        if array.ndim > len(given.type.shape):
            if points is not None and points != len(array):
                raise _different_points(inputs)
            points = len(array)
    return points


def _different_points(inputs: Sequence[Input]) -> InvalidArgumentError:
    batched = [given for given in inputs if given.array.ndim > len(given.type.shape)]
    sizes = {len(given.array): given.path for given in batched}
    listed = ", ".join(f"{path} has {size}" for size, path in sizes.items())
    return invalid_argument(
        "SHAPE_MISMATCH", f"all batched arrays must have the same number of points, but {listed}"
    )


def _malformed(message: str) -> InvalidArgumentError:
    return invalid_argument("MALFORMED_REQUEST", message)
