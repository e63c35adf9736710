"""Sizes of symbols from the shapes of arguments."""

from __future__ import annotations

import pytest

from pullback.program import sizes
from pullback.program.dimensions import solve
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.sizes import bind_sizes
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF


def signature(*arguments: str, result: str = "f64[]") -> Signature:
    """A signature of arguments x0, x1 and so on."""
    leaves = [Argument(f"x{i}", LEAF, (parse_tensor_type(text),)) for i, text in enumerate(arguments)]
    return Signature(tuple(leaves), Result(LEAF, (parse_tensor_type(result),)))


def test_sizes_follow_from_shapes_in_any_order() -> None:
    """What one argument leaves open another one says, and batches have one axis more."""
    taken = signature("f64[2*n+m]", "f32[n,3]", result="f64[m,n]")
    for shapes in ([(9,), (4, 3)], [(7, 9), (4, 3)], [(9,), (7, 4, 3)]):
        assert bind_sizes(taken, shapes) == {"n": 4, "m": 1}
    assert str(taken.at({"n": 4, "m": 1}).leaves[0]) == "f64[9]"


def test_zero_is_a_size() -> None:
    """Empty arrays bind symbols as others do."""
    assert bind_sizes(signature("f64[n]", "f64[n+2]"), [(0,), (2,)]) == {"n": 0}


@pytest.mark.parametrize(
    ("types", "shapes", "message"),
    [
        (["f64[n]", "f64[2*n]"], [(3,), (7,)], "that is 6, since n = 3"),
        (["f64[n+5]"], [(3,)], "no size is negative"),
        (["f64[n,3]"], [(3,)], "one more leading axis"),
        (["f64[2*n]"], [(7,)], "no size of n fits"),
        (["f64[n,n]"], [(2, 3)], "n = 2"),
        (["f64[n]", "f64[floordiv(4,n)]"], [(0,), (4,)], "divides by zero"),
    ],
)
def test_shapes_that_do_not_fit(types: list[str], shapes: list[tuple[int, ...]], message: str) -> None:
    """The message names the argument, what came, and the sizes that follow from the others."""
    with pytest.raises(SizeMismatchError, match=message) as caught:
        bind_sizes(signature(*types), shapes)
    assert caught.value.path in ("x0", "x1")


def test_a_symbol_that_no_argument_has() -> None:
    """A result's own symbol cannot be found."""
    with pytest.raises(SizeMismatchError, match="no argument says how large k is"):
        bind_sizes(signature("f64[n]", result="f64[k]"), [(2,)])


def test_the_work_grows_with_the_axes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each axis is solved once or twice, however many have to wait for others."""
    solved = list[str]()

    def counted(expression: str, value: int, known: dict[str, int]) -> tuple[str, int] | None:
        solved.append(expression)
        return solve(expression, value, known)

    monkeypatch.setattr(sizes, "solve", counted)
    count = 100
    chain = [f"f64[n{i}+n{i + 1}]" for i in range(count)]
    shapes = [(3,)] * count + [(1,)]
    found = bind_sizes(signature(*chain, f"f64[n{count}]"), shapes)
    assert set(found.values()) == {1, 2}
    assert len(solved) <= 2 * len(shapes)
