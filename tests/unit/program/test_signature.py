"""Signatures hold together."""

from __future__ import annotations

import pytest

from pullback.program.errors import MalformedProgramError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, structure_of

X, Y = parse_tensor_type("f64[3]"), parse_tensor_type("i32[]")
PAIR, _ = structure_of({"b": 0, "a": 0})


def test_leaves_are_numbered_over_all_arguments() -> None:
    """Leaves, their paths and their numbers go through the arguments in order."""
    signature = Signature((Argument("x", LEAF, (X,)), Argument("p", PAIR, (X, Y))))
    assert signature.leaves == (X, X, Y)
    assert signature.paths == ("x", "p['a']", "p['b']")
    assert list(signature.leaf_range(1)) == [1, 2]


def test_structure_and_types_must_agree() -> None:
    """As many types as leaves."""
    with pytest.raises(
        MalformedProgramError, match="argument p has a structure of 2 leaves and 1 leaf types"
    ):
        Argument("p", PAIR, (X,))
    with pytest.raises(MalformedProgramError, match="the result"):
        Result(LEAF, (X, Y))


@pytest.mark.parametrize("name", ["", "1x", "a b", "größe"])
def test_names_are_plain(name: str) -> None:
    """Names can be written in any language."""
    with pytest.raises(MalformedProgramError, match="argument name"):
        Argument(name, LEAF, (X,))


def test_names_differ() -> None:
    """Two arguments cannot have one name."""
    with pytest.raises(MalformedProgramError, match="'x'"):
        Signature((Argument("x", LEAF, (X,)), Argument("x", LEAF, (Y,))))


class _Counted(str):
    """A name that counts what it is compared with."""

    __slots__ = ()
    __hash__ = str.__hash__
    compared = 0

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return str.__eq__(self, other)


def test_many_names_are_compared_fast() -> None:
    """A small message can have a great many arguments; each name is looked at a few times, not with each."""
    arguments = [Argument(_Counted(f"x{number}"), LEAF, (X,)) for number in range(1000)]
    Signature(tuple(arguments))
    assert _Counted.compared < 10 * len(arguments)
