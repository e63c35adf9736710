"""Trees without JAX, held against jax.tree_util."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.errors import MalformedProgramError, TreeMismatchError
from pullback.program.trees import LEAF, count_leaves, flatten, leaf_paths, structure_of, unflatten


class Pair(NamedTuple):
    """A named tuple of the user's."""

    weight: Any
    bias: Any


trees = st.recursive(
    st.floats(allow_nan=False) | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), children, max_size=3)
        | st.builds(Pair, children, children)
    ),
    max_leaves=12,
)


@given(trees)
def test_leaves_stand_in_jax_s_order(value: Any) -> None:
    """The leaves are those of jax.tree.leaves, and the paths are as many."""
    tree, leaves = structure_of(value)
    assert leaves == jax.tree.leaves(value)
    assert len(leaf_paths(tree)) == count_leaves(tree) == len(leaves)


@given(trees)
def test_apart_and_together(value: Any) -> None:
    """A value that was taken apart is put together again, and flattened the same way."""
    tree, leaves = structure_of(value)
    assert flatten(tree, value) == leaves
    assert unflatten(tree, leaves) == value


def test_a_named_tuple_without_its_class() -> None:
    """Whoever has not the user's class gets one with the same fields."""
    tree, leaves = structure_of(Pair(1.0, (2.0,)))
    value = unflatten(tree, leaves)
    assert (type(value).__name__, value.weight, value.bias) == ("Pair", 1.0, (2.0,))


@pytest.mark.parametrize(
    ("example", "value", "message"),
    [
        (
            {"a": 1.0},
            {"b": 1.0},
            r"x must be a dict with the keys \['a'\], but is a dict with the keys \['b'\]",
        ),
        ({"a": (1.0, 2.0)}, {"a": (1.0,)}, r"x\['a'\] must be a tuple of 2, but is a tuple of 1"),
        ([None], [1.0], r"x\[0\] must be None, but is of type float"),
        (Pair(1.0, 2.0), (1.0, 2.0), r"x must be a named tuple Pair with the fields \['weight', 'bias'\]"),
        ([1.0], (1.0,), r"x must be a list of 1, but is a tuple of 1"),
    ],
)
def test_a_mismatch_says_where(example: Any, value: Any, message: str) -> None:
    """The error names the place, what is expected and what is there."""
    tree, _ = structure_of(example)
    with pytest.raises(TreeMismatchError, match=message):
        flatten(tree, value, "x")


def test_a_list_can_stand_for_an_array() -> None:
    """What stands at the place of a leaf is taken as it is."""
    assert flatten(LEAF, [1.0, 2.0]) == [[1.0, 2.0]]


def test_keys_must_be_text() -> None:
    """A dict with number keys is refused."""
    with pytest.raises(MalformedProgramError, match="key 1"):
        structure_of({1: 2.0})


def test_too_few_leaves() -> None:
    """The number of leaves must be that of the structure."""
    tree, _ = structure_of([1.0, 2.0])
    with pytest.raises(TreeMismatchError, match="1 leaves were given for a structure of 2"):
        unflatten(tree, [1.0])
