"""Items of iterators on their way into chunks, and results on their way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback._evaluation.inputs import Inputs
from pullback._evaluation.results import Results, Timing
from pullback._evaluation.tensors import decode
from pullback._mapping.cutting import Chunk
from pullback._mapping.requests import Course, IteratorMap, over_iterators
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

Iterated = Callable[..., IteratorMap]
Answer = Callable[[Chunk], Results]


def chunks(iterator_map: IteratorMap) -> Iterator[Chunk]:
    """All chunks."""
    gathering = iterator_map.gathering()
    for item in zip(*iterator_map.points, strict=True):
        yield from gathering.add(item)
    yield from gathering.rest()


def run(iterator_map: IteratorMap, answer: Answer) -> list[Results]:
    """The results of all items."""
    spreading = iterator_map.spreading()
    return [each for chunk in chunks(iterator_map) for each in spreading.add(chunk, answer(chunk))]


def identity(chunk: Chunk) -> Results:
    """What came in, as the value."""
    (x,) = map(decode, chunk.call.request.arguments)
    return Results({"value": x}, "r", Timing(1.0, 0.0, 0.0))


def of_identity(items: list[Any], chunk: int, kind: str = "f64[2]") -> IteratorMap:
    """A map of the identity."""
    leaf = parse_tensor_type(kind)
    signature = Signature((Argument("x", LEAF, (leaf,)),), Result(LEAF, (leaf,)))
    course = Course(chunk, 32, 12, progress=False, timeout=None)
    return over_iterators("functions/f", signature, ["value"], None, Inputs((items,)), course)


@given(sizes=st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=12), chunk=st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_each_item_has_its_own(sizes: list[int | None], chunk: int) -> None:
    """Points and blocks of any sizes come back as they went; chunks are full but for the last."""
    numbers = iter(range(1000))
    items = [
        np.array([[next(numbers), -1.0] for _ in range(1 if size is None else size)]).reshape(-1, 2)
        for size in sizes
    ]
    given_items = [item[0] if size is None else item for item, size in zip(items, sizes, strict=True)]
    iterator_map = of_identity(given_items, chunk)
    counts = [each.stop - each.start for each in chunks(iterator_map)]
    assert all(count == chunk for count in counts[:-1])
    results = run(of_identity(given_items, chunk), identity)
    assert len(results) == len(given_items)
    for result, item in zip(results, given_items, strict=True):
        np.testing.assert_array_equal(result.value, item)


def test_shared_arguments(answer: Answer, iterated: Iterated) -> None:
    """They come by name, and go with each chunk; what is shared by a block is repeated for its points."""
    xs = np.arange(15.0).reshape(5, 3)
    results = run(iterated(list(xs), y=2.0, chunk=2), shared_answer)
    np.testing.assert_array_equal([each.grad for each in results], 4 * xs)
    blocks = run(iterated([xs[:2], xs[2:]], [1.0, 3.0], chunk=2), answer)
    np.testing.assert_array_equal(blocks[0].grad, 2 * xs[:2])
    np.testing.assert_array_equal(blocks[1].grad, 6 * xs[2:])


def shared_answer(chunk: Chunk) -> Results:
    """Value and gradient with a shared second argument."""
    x, y = map(decode, chunk.call.request.arguments)
    assert y.shape == ()
    return Results({"value": np.sum(x**2, axis=-1) * y, "grad": 2 * x * y}, "r", Timing(1.0, 0.0, 0.0))


def test_an_iterator_that_uses_its_array_again() -> None:
    """What waits for its chunk to be full is not changed under our hands."""

    def again() -> Iterator[Any]:
        buffer = np.zeros(2)
        for number in range(5):
            buffer[:] = number
            yield buffer

    results = run(of_identity(again(), 3), identity)  # type: ignore[arg-type]
    assert [each.value[0] for each in results] == [0, 1, 2, 3, 4]


def test_no_more_is_read_than_is_asked_for() -> None:
    """The items of a chunk, and none beyond it."""
    read = list[int]()

    def endless() -> Iterator[Any]:
        while True:
            read.append(len(read))
            yield [1.0, 2.0]

    made = chunks(of_identity(endless(), 4))  # type: ignore[arg-type]
    assert (next(made).stop, len(read)) == (4, 4)
    assert (next(made).start, len(read)) == (4, 8)


def test_sizes_that_differ() -> None:
    """Where the signature has symbols, items of one size go together, in order."""
    items = [np.ones((3,)), np.ones((4, 3)), np.ones((2,)), np.ones((1, 5))]
    made = list(chunks(of_identity(items, 100, "f64[n]")))
    assert [(each.start, each.stop) for each in made] == [(0, 5), (5, 6), (6, 7)]
    results = run(of_identity(items, 100, "f64[n]"), identity)
    assert [each.value.shape for each in results] == [(3,), (4, 3), (2,), (1, 5)]


def test_an_item_that_does_not_fit(iterated: Iterated) -> None:
    """The error says which it is."""
    with pytest.raises(InvalidArgumentError, match="shape") as caught:
        list(chunks(iterated([np.zeros(3), np.zeros(4)], y=1.0)))
    assert caught.value.__notes__ == ["this is item 1 of the map"]


def test_what_is_shared_has_no_points(iterated: Iterated) -> None:
    """An argument by name is the same for all."""
    with pytest.raises(InvalidArgumentError, match=r"y has the shape .* is shared by all items"):
        list(chunks(iterated([np.zeros(3)], y=np.zeros(4))))


def test_nothing_to_iterate(iterated: Iterated) -> None:
    """Points come by position."""
    with pytest.raises(InvalidArgumentError, match="by position"):
        iterated(x=np.zeros(3), y=1.0)
    assert list(chunks(iterated([], y=1.0))) == []
