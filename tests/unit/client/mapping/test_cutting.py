"""Cutting a batch into chunks and joining what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback._evaluation.inputs import Inputs
from pullback._evaluation.results import Results, Timing
from pullback._evaluation.sparse import Sparse
from pullback._evaluation.wants import Want
from pullback._mapping.cutting import CHUNK_BYTES, Chunk
from pullback._mapping.requests import ArrayMap, Course, over_arrays
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

Answer = Callable[[Chunk], Results]
Mapped = Callable[..., ArrayMap]
COURSE = Course(None, 32, 12, progress=False, timeout=None)


def points(count: int) -> np.ndarray[Any, Any]:
    """Points that differ from each other."""
    return np.arange(3.0 * count).reshape(count, 3)


def run(array_map: ArrayMap, answer: Answer) -> Results:
    """All chunks answered and joined."""
    joining = array_map.joining()
    for chunk in array_map.chunks():
        joining.add(chunk, answer(chunk))
    return joining.results()


def of_square(size: int, *wants: Any) -> ArrayMap:
    """A map of a scalar function over 5,000 points of f64[size]."""
    leaf = parse_tensor_type(f"f64[{size}]")
    signature = Signature((Argument("x", LEAF, (leaf,)),), Result(LEAF, (parse_tensor_type("f64[]"),)))
    inputs = Inputs((np.zeros((5000, size)),))
    return over_arrays("functions/f", signature, wants, None, inputs, None, COURSE)


@given(count=st.integers(0, 40), chunk=st.integers(1, 45))
@settings(max_examples=50, deadline=None)
def test_every_point_once(count: int, chunk: int) -> None:
    """Chunks follow each other without gaps, each with its points; no points are one empty chunk."""
    signature = Signature(
        (Argument("x", LEAF, (parse_tensor_type("f64[3]"),)),), Result(LEAF, (parse_tensor_type("f64[]"),))
    )
    course = Course(chunk, 32, 12, progress=False, timeout=None)
    cut = over_arrays("functions/f", signature, ["value"], None, Inputs((points(count),)), None, course)
    chunks = list(cut.chunks())
    assert [each.start for each in chunks] == list(range(0, max(count, 1), chunk))
    assert [each.stop for each in chunks] == [*[each.start for each in chunks[1:]], count]
    sent = [bytes(each.call.request.arguments[0].data) for each in chunks]
    assert b"".join(sent) == points(count).tobytes()
    assert all(each.call.points == each.stop - each.start for each in chunks)


@pytest.mark.parametrize(
    ("wants", "size", "expected"),
    [
        (["value"], 100, 1024),
        (["grad"], 100, 1024),
        (["hessian"], 100, 8),
        (["hessian"], 1000, 1),
        ([Want("derivative", order=3)], 30, 4),
    ],
)
def test_the_size_of_a_chunk(wants: list[Any], size: int, expected: int) -> None:
    """A power of two of points, with a mebibyte at most in each direction, but one point at least."""
    first = next(of_square(size, *wants).chunks())
    assert first.stop == expected
    assert first.nbytes <= 2 * CHUNK_BYTES or expected == 1


def test_joined(answer: Answer, mapped: Mapped) -> None:
    """Results are those of all points; a shared argument is sent with each chunk, times are sums."""
    results = run(mapped(points(10), 2.0, chunk=4), answer)
    np.testing.assert_array_equal(results.grad, 4 * points(10))
    np.testing.assert_array_equal(results.value, 2 * np.sum(points(10) ** 2, axis=1))
    assert (list(results), results.timing.total, results.timing.execute) == (["value", "grad"], 3.0, 1.5)


def test_two_batched_arguments(answer: Answer, mapped: Mapped) -> None:
    """Both are cut, by name as by position."""
    y = np.arange(7.0)
    results = run(mapped(points(7), y=y, chunk=2), answer)
    np.testing.assert_array_equal(results.grad, 2 * points(7) * y[:, None])


def test_no_points(answer: Answer, mapped: Mapped) -> None:
    """Results have the shapes of any others."""
    results = run(mapped(points(0), 2.0), answer)
    assert (results.grad.shape, results.value.shape) == ((0, 3), (0,))


def test_nothing_batched(mapped: Mapped) -> None:
    """A single point is no map."""
    with pytest.raises(InvalidArgumentError, match="use evaluate for a single point"):
        next(mapped(np.zeros(3), 2.0).chunks())


@pytest.mark.parametrize("chunk", [0, -3, 2.5])
def test_chunks_that_cannot_be(mapped: Mapped, chunk: Any) -> None:
    """They have one point at least."""
    with pytest.raises(InvalidArgumentError, match="no number of points"):
        next(mapped(points(3), 2.0, chunk=chunk).chunks())


@pytest.mark.parametrize("option", [{"in_flight": 0}, {"retries": -1}])
def test_courses_that_cannot_be(option: dict[str, int]) -> None:
    """The message names the option and its value."""
    given = {"in_flight": 1, "retries": 0} | option
    with pytest.raises(InvalidArgumentError, match=next(iter(option))):
        Course(None, **given, progress=False, timeout=None)


def test_files(answer: Answer, mapped: Mapped, tmp_path: Path) -> None:
    """Points are read from a file and results written to another; what is not named is in memory."""
    np.save(tmp_path / "x.npy", points(9))
    results = run(mapped(tmp_path / "x.npy", 1.0, out={"grad": tmp_path / "g.npy"}, chunk=4), answer)
    assert isinstance(results.grad, np.memmap)
    assert not isinstance(results.value, np.memmap)
    np.testing.assert_array_equal(np.load(tmp_path / "g.npy"), 2 * points(9))


def test_files_of_no_points(answer: Answer, mapped: Mapped, tmp_path: Path) -> None:
    """A file of no points is one, too."""
    np.save(tmp_path / "x.npy", points(0))
    run(mapped(str(tmp_path / "x.npy"), 1.0, out={"grad": str(tmp_path / "g.npy")}), answer)
    assert np.load(tmp_path / "g.npy").shape == (0, 3)


def test_arrays_to_write_to(answer: Answer, mapped: Mapped) -> None:
    """An array that is given has the results, a part of a larger one too."""
    large = np.zeros((2, 5, 3))
    results = run(mapped(points(5), 1.0, out={"grad": large[1], "value": None}, chunk=2), answer)
    assert results.grad.base is large
    np.testing.assert_array_equal(large, [np.zeros((5, 3)), 2 * points(5)])


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("g.npy", "which result goes where"),
        ({"hessian": "h.npy"}, "keys among value, grad"),
        ({"grad": np.zeros((4, 3))}, r"float64\[4, 3\]; the result is float64\[5, 3\]"),
        ({"grad": np.zeros((5, 3), np.float32)}, "float32"),
        ({"grad": 7}, "is a int"),
        ({"grad": np.broadcast_to(np.zeros(3), (5, 3))}, "read-only"),
    ],
)
def test_places_that_do_not_fit(answer: Answer, mapped: Mapped, out: Any, words: str) -> None:
    """The message says what was given and what the result is."""
    with pytest.raises(InvalidArgumentError, match=words):
        run(mapped(points(5), 1.0, out=out), answer)


def test_files_that_are_none(mapped: Mapped, tmp_path: Path) -> None:
    """What is no .npy file of numbers is refused by name; one that is not there is an OSError."""
    (tmp_path / "x.npy").write_text("no numbers")
    with pytest.raises(InvalidArgumentError, match=r"x\.npy is no \.npy file"):
        mapped(tmp_path / "x.npy", 1.0)
    with pytest.raises(FileNotFoundError):
        mapped(tmp_path / "y.npy", 1.0)


def test_sparse_results() -> None:
    """Values are joined, and have their own file if one is asked for; coordinates are those of all."""
    array_map = of_square(4, Want("hessian", sparse=True))
    joining = array_map.joining()
    rows = np.array([0, 1], np.int32)
    for chunk in array_map.chunks():
        values = np.arange(chunk.start, chunk.stop)[:, None] * [1.0, 2.0]
        joining.add(
            chunk, Results({"hessian": Sparse(values, rows, rows, (4, 4))}, "r", Timing(1.0, 0.0, 0.5))
        )
    sparse = joining.results().hessian
    np.testing.assert_array_equal(sparse.values, np.arange(5000)[:, None] * [1.0, 2.0])
    assert (sparse.shape, sparse.rows.tolist()) == ((4, 4), [0, 1])
