"""Cuts a batch into chunks: messages of about a mebibyte, each with a power of two of points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pullback._evaluation.arguments import is_batched
from pullback._evaluation.calls import Call, call_of
from pullback._evaluation.inputs import Collected, Input
from pullback._evaluation.plans import Plan
from pullback._evaluation.sizes import Room
from pullback._evaluation.wants import ResolvedWant
from pullback.errors import invalid_argument
from pullback.program.signature import Signature

# Larger messages block the event loops of both sides for as long as they are copied.
CHUNK_BYTES: Final = 1 << 20
# More points make no call cheaper, and a server's limit (max_batch) is not far.
_MOST_POINTS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Piece:
    """What a chunk has of one item of an iterator.

    Attributes:
        start: The first point within the chunk.
        stop: The point after the last.
        single: Whether the item is one point, and no block of them.
        last: Whether the item ends here.
    """

    start: int
    stop: int
    single: bool
    last: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of the points, which travel in one message.

    Attributes:
        start: The first point, counted over the whole map.
        stop: The point after the last.
        call: What is sent.
        signature: The function's, at the sizes of what is sent.
        nbytes: The bytes of what is sent and, as predicted, of what comes back.
        pieces: The items of an iterator that it has something of.
    """

    start: int
    stop: int
    call: Call
    signature: Signature
    nbytes: int
    pieces: tuple[Piece, ...] = ()


def chunk_points(wants: Iterable[ResolvedWant], collected: Collected, chosen: int | None) -> tuple[int, int]:
    """How many points go into a chunk, and how many bytes each has with its results.

    Args:
        wants: What is wanted.
        collected: What goes in.
        chosen: The number of points that the user chose; None is as many as fit into CHUNK_BYTES in each
            direction, at least one, a power of two; how large sparse results are only the server knows.

    Raises:
        InvalidArgumentError: If the chosen number is none.
    """
    if chosen is not None and (not isinstance(chosen, int) or chosen < 1):
        raise invalid_argument(
            "MALFORMED_REQUEST", f"chunk={chosen!r} is no number of points; pass 1 or more"
        )
    room = Room(wants, collected.signature)
    there, back = point_bytes(collected), room.nbytes(1) - room.nbytes(0)
    if chosen is not None:
        return chosen, there + back
    fitting = min(_MOST_POINTS, CHUNK_BYTES // max(there, back, 1))
    return 1 << max(0, fitting.bit_length() - 1), there + back


def point_bytes(collected: Collected) -> int:
    """The bytes that one point adds to a request."""
    batched = (each for each in _inputs(collected) if is_batched(each.array, each.type))
    return sum(each.type.nbytes for each in batched)


def cut(
    plan: Plan, wants: tuple[ResolvedWant, ...], collected: Collected, chosen: int | None
) -> Iterator[Chunk]:
    """The chunks of a batch, in order; each is made when it is asked for. No points are one chunk of none.

    Args:
        plan: What the evaluations of all chunks have in common.
        wants: What is wanted.
        collected: What goes in, batched.
        chosen: The number of points in a chunk; None is what fits.

    Raises:
        InvalidArgumentError: If nothing is batched.
    """
    if collected.points is None:
        raise invalid_argument(
            "SHAPE_MISMATCH",
            "no argument has points: give one with one more leading axis than in the signature, or use "
            "evaluate for a single point",
        )
    each, nbytes = chunk_points(wants, collected, chosen)
    points = collected.points
    for start in range(0, max(points, 1), each):
        stop = min(start + each, points)
        call = call_of(plan, points_of(collected, start, stop))
        yield Chunk(start, stop, call, collected.signature, (stop - start) * nbytes)


def points_of(collected: Collected, start: int, stop: int) -> Collected:
    """What goes into an evaluation of some points of a batch."""
    parts = (collected.arguments, collected.tangents, collected.cotangents)
    arguments, tangents, cotangents = (tuple(_some(each, start, stop) for each in part) for part in parts)
    return Collected(arguments, tangents, cotangents, stop - start, collected.signature)


def _some(given: Input, start: int, stop: int) -> Input:
    if not is_batched(given.array, given.type):
        return given
    return given._replace(array=given.array[start:stop])


def _inputs(collected: Collected) -> tuple[Input, ...]:
    return (*collected.arguments, *collected.tangents, *collected.cotangents)
