"""A user's map, read: what is wanted, what goes in, and how it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pullback._evaluation.inputs import Collected, Inputs, at_sizes_of
from pullback._evaluation.plans import Plan
from pullback._evaluation.wants import Argnums, Quantity, ResolvedWant, Want, resolve
from pullback._mapping.cutting import Chunk, cut
from pullback._mapping.files import opened
from pullback._mapping.flight import Flight, Window
from pullback._mapping.gathering import Gathering, Mapped
from pullback._mapping.joining import Joining
from pullback._mapping.spreading import Spreading
from pullback.errors import invalid_argument
from pullback.program.signature import Signature


@dataclass(frozen=True, slots=True)
class Course:
    """How a map goes.

    Attributes:
        chunk: The number of points in a message; None is what fits into about a mebibyte.
        in_flight: The most messages without an answer.
        retries: How often what was lost is sent again in a row, without an answer in between.
        progress: Whether to show how far it is.
        timeout: For how many seconds there may be no answer at all; None is without end.
    """

    chunk: int | None
    in_flight: int
    retries: int
    progress: bool
    timeout: float | None

    def __post_init__(self) -> None:
        for name, least in (("in_flight", 1), ("retries", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise invalid_argument("MALFORMED_REQUEST", f"{name}={value!r} is not {least} or more")

    def flight(self) -> Flight:
        """Nothing under way yet."""
        return Flight(Window(self.in_flight), self.retries)


@dataclass(frozen=True, slots=True)
class ArrayMap:
    """A map over arrays.

    Attributes:
        plan: What the evaluations of all chunks have in common.
        wants: What is wanted.
        collected: What goes in.
        out: Where results go.
        course: How it goes.
    """

    plan: Plan
    wants: tuple[ResolvedWant, ...]
    collected: Collected
    out: Any
    course: Course

    @property
    def points(self) -> int:
        """How many points there are."""
        return self.collected.points or 0

    def chunks(self) -> Iterator[Chunk]:
        """What is sent."""
        return cut(self.plan, self.wants, self.collected, self.course.chunk)

    def joining(self) -> Joining:
        """Where results are put together."""
        return Joining(self.wants, self.collected.signature, self.points, self.out)


@dataclass(frozen=True, slots=True)
class IteratorMap:
    """A map over iterators.

    Attributes:
        mapped: What stays the same.
        course: How it goes.
        points: The iterables, one for each argument by position.
    """

    mapped: Mapped
    course: Course
    points: tuple[Any, ...] = field(default=())

    def gathering(self) -> Gathering:
        """Where items become chunks."""
        return Gathering(self.mapped)

    def spreading(self) -> Spreading:
        """Where results become those of items."""
        return Spreading(self.mapped.wants)


def over_arrays(
    revision: str,
    signature: Signature,
    wants: Iterable[Quantity | Want],
    argnums: Argnums | None,
    inputs: Inputs,
    out: Any,
    course: Course,
) -> ArrayMap:
    """Reads a map over arrays, and opens the files that are given by path.

    Raises:
        InvalidArgumentError: If anything does not fit the signature.
        OSError: If a file cannot be read.
    """
    resolved = resolve(wants, signature, argnums)
    given = _opened(inputs)
    plan = Plan(revision, at_sizes_of(signature, given), resolved)
    return ArrayMap(plan, resolved, plan.layout.collect(given), out, course)


def over_iterators(
    revision: str,
    signature: Signature,
    wants: Iterable[Quantity | Want],
    argnums: Argnums | None,
    inputs: Inputs,
    course: Course,
) -> IteratorMap:
    """Reads a map over iterators; `inputs.args` are these.

    Raises:
        InvalidArgumentError: If wants do not fit the signature, or there is no iterator.
    """
    resolved = resolve(wants, signature, argnums)
    if not inputs.args:
        raise invalid_argument(
            "ARGUMENT_COUNT_MISMATCH",
            "give the points by position: an iterable for each argument that differs",
        )
    if not any(argument.leaves for argument in signature.arguments[: len(inputs.args)]):
        raise invalid_argument("SHAPE_MISMATCH", "the arguments by position have no arrays, and so no points")
    mapped = Mapped(
        revision, signature, resolved, inputs.kwargs, inputs.tangents, inputs.cotangents, course.chunk
    )
    return IteratorMap(mapped, course, tuple(inputs.args))


def _opened(inputs: Inputs) -> Inputs:
    args: Sequence[Any] = [opened(value) for value in inputs.args]
    kwargs: Mapping[str, Any] = {name: opened(value) for name, value in inputs.kwargs.items()}
    return Inputs(args, kwargs, opened(inputs.tangents), opened(inputs.cotangents))
