"""Joining and cutting move bytes only: what goes in comes out, each at its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Evaluation, Kind, Outcome, Tensor, Timing
from pullback_server.model.quantities import Quantity, Want
from pullback_server.scheduling.joining import batch_kind, join, shared_bytes, shares
from pullback_server.scheduling.serving import Piece
from pullback_server.scheduling.splitting import cut, put_together, spread

F64, I32 = ElementType.F64, ElementType.I32
TYPES = (TensorType(F64, (2, 3)), TensorType(I32, ()), TensorType(F64, (0, 4)))
KIND = Kind("f", (Want(Quantity.VALUE), Want(Quantity.GRADIENT)), TYPES)

counts = st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=6).filter(
    lambda drawn: any(count is None or count for count in drawn)
)


def evaluation(points: int | None, seed: int, kind: Kind = KIND) -> Evaluation:
    """A single point, or a batch, of random elements."""
    generator = np.random.default_rng(seed)
    used = kind if points is None else batch_kind(kind)
    data = (
        generator.integers(0, 100, type_.shape).astype(type_.element.dtype) for type_ in used.types(points)
    )
    return Evaluation(used, tuple(array.tobytes() for array in data), points)


def identity(asked: Evaluation) -> Outcome:
    """Gives the inputs: the first for the first want, the others for the second."""
    types = asked.kind.types(asked.points)
    leaves = tuple(Tensor(type_, data) for type_, data in zip(types, asked.inputs, strict=True))
    return Outcome((leaves[:1], leaves[1:]), Timing(0.0, 0.5))


def rows(data: bytes | bytearray | memoryview, type_: TensorType) -> list[bytes]:
    """The bytes of each point."""
    return [bytes(data)[start : start + type_.nbytes] for start in range(0, len(data), max(type_.nbytes, 1))]


@settings(deadline=None)
@given(counts, st.integers(0, 3))
def test_each_gets_its_own(points: Sequence[int | None], padding: int) -> None:
    """Every member's share of an identity is what it sent, single points without an axis."""
    members = [evaluation(count, seed) for seed, count in enumerate(points)]
    if padding and not (points[-1] is None or points[-1]):
        padding = 0
    total = sum(1 if count is None else count for count in points)
    joined = join(members, batch_kind(KIND), total + padding)
    assert joined.points == total + padding
    assert [len(data) for data in joined.inputs] == [each.nbytes for each in joined.kind.types(joined.points)]
    for member, results in zip(members, shares(identity(joined), joined.kind, points), strict=True):
        leaves = [leaf for want in results for leaf in want]
        assert [bytes(leaf.data) for leaf in leaves] == [bytes(data) for data in member.inputs]
        assert tuple(leaf.type for leaf in leaves) == member.kind.types(member.points)


def test_padding_repeats_the_last_point() -> None:
    """Padding is never zeros, where a function may have no value."""
    members = [evaluation(2, 1), evaluation(None, 2)]
    joined = join(members, batch_kind(KIND), 5)
    points = rows(joined.inputs[0], TYPES[0])
    assert points[2] == bytes(members[1].inputs[0])
    assert points[2] == points[3] == points[4]
    assert points[1] != points[2]


def test_shared_inputs_stay() -> None:
    """An input that the points share travels once."""
    kind = Kind("f", KIND.wants, TYPES[:2], batched=(True, False))
    first, second = (
        Evaluation(kind, (bytes([value]) * 48 * points, b"wxyz"), points)
        for value, points in ((1, 1), (2, 2))
    )
    joined = join([first, second], kind, 4)
    assert joined.inputs == (bytes([1]) * 48 + bytes([2]) * 144, b"wxyz")
    assert shared_bytes(kind, first) == b"wxyz"
    assert shared_bytes(KIND, evaluation(None, 1)) == b""


def test_coordinates_are_everyones() -> None:
    """Rows and columns of sparse results go to every member as they are."""
    kind = Kind("f", (Want(Quantity.HESSIAN, sparse=True),), TYPES[:1], batched=(True,))
    coordinates = Tensor(TensorType(I32, (2,)), bytes(8))
    values = Tensor(TensorType(F64, (3, 2)), np.arange(6.0).tobytes())
    outcome = Outcome(((values, coordinates, coordinates),), Timing())
    alone, pair = shares(outcome, kind, (None, 2))
    assert alone[0][1:] == pair[0][1:] == (coordinates, coordinates)
    assert np.frombuffer(alone[0][0].data).tolist() == [0.0, 1.0]
    assert np.frombuffer(pair[0][0].data).tolist() == [2.0, 3.0, 4.0, 5.0]
    together = put_together([Outcome(alone, Timing())], kind, (None,))
    assert together.results[0][0].type == TensorType(F64, (1, 2))
    assert together.results[0][1] is coordinates


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.booleans())
def test_cut_and_put_together(sizes: list[int], alone: bool) -> None:
    """A batch that is cut, run and put together is what it was."""
    whole = evaluation(sum(sizes), 7)
    pieces = [Piece(size, 0 if alone and size == 1 else 8) for size in sizes]
    parts = list(cut(whole, pieces, KIND))
    outcome = put_together([identity(part) for part in parts], whole.kind, [part.points for part in parts])
    leaves = [leaf for want in outcome.results for leaf in want]
    assert [bytes(leaf.data) for leaf in leaves] == [bytes(data) for data in whole.inputs]
    assert tuple(leaf.type for leaf in leaves) == whole.kind.types(whole.points)
    assert outcome.timing.execute == pytest.approx(0.5 * len(sizes))


@settings(deadline=None)
@given(st.integers(1, 10_000), st.integers(1, 9), st.floats(0, 1))
def test_spread_is_even(points: int, workers: int, seconds: float) -> None:
    """There are at most as many pieces as workers, and all points are in them."""
    size = spread(points, workers, seconds, 0.01)
    assert 1 <= size <= points
    assert -(-points // size) <= workers
