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
