"""Blocks never overlap, and what is given back can be had again."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pullback.memory.blocks import ALIGNMENT, Blocks


@given(
    st.integers(0, 5_000),
    st.lists(st.tuples(st.booleans(), st.integers(1, 1_500), st.integers(0)), max_size=60),
)
def test_blocks_never_overlap(size: int, steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is taken and given back: blocks are aligned, inside, apart, and all of it returns."""
    blocks, live = Blocks(size), {}
    for takes, nbytes, which in steps:
        if takes:
            begin = blocks.take(nbytes)
            if begin is not None:
                live[begin] = nbytes
        elif live:
            begin = sorted(live)[which % len(live)]
            del live[begin]
            first, last = blocks.give_back(begin)
            assert first <= begin < last <= blocks.nbytes
            assert not any(first < other + live[other] and other < last for other in live)
        ends = [(begin, begin + nbytes) for begin, nbytes in sorted(live.items())]
        assert all(begin % ALIGNMENT == 0 and end <= size for begin, end in ends)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))
        assert blocks.in_use == sum(-(-nbytes // ALIGNMENT) * ALIGNMENT for nbytes in live.values())
    for begin in live:
        blocks.give_back(begin)
    assert blocks.in_use == 0
    assert blocks.nbytes == 0 or blocks.take(blocks.nbytes) == 0


def test_best_fit() -> None:
    """The smallest free piece that is large enough is taken, and of equal ones the first."""
    blocks = Blocks(64 * 10)
    begins = [blocks.take(64 * length) for length in (3, 1, 2, 1, 2, 1)]
    assert begins == [0, 192, 256, 384, 448, 576]
    for begin in (0, 448, 256):
        blocks.give_back(begin)
    assert blocks.take(100) == 256
    assert blocks.take(100) == 448
    assert blocks.take(1) == 0


def test_what_does_not_fit() -> None:
    """A block that is larger than any free piece is refused, even if all together would do."""
    blocks = Blocks(64 * 4 + 63)
    assert [blocks.take(64) for _ in range(5)] == [0, 64, 128, 192, None]
    blocks.give_back(0)
    blocks.give_back(128)
    assert blocks.take(65) is None
    assert blocks.give_back(64) == (0, 192)
    assert blocks.take(192) == 0
