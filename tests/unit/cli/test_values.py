"""What is written after `--arg`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from pullback.cli.values import fit, parse_argnums, parse_labels, parse_types, parse_values
from pullback.program.errors import MalformedProgramError
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, DictNode, Empty, ListNode, NamedTupleNode, TupleNode

F64 = parse_tensor_type("f64[8,3]")


def test_types() -> None:
    """With a name and without."""
    assert parse_types(["f64[8,3]", "x=f32[]"]) == ([F64], {"x": parse_tensor_type("f32[]")})


def test_a_type_that_is_none() -> None:
    """Refused by the ground's own message."""
    with pytest.raises(MalformedProgramError, match="float12"):
        parse_types(["float12[3]"])


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("[1, [2]]", [1, [2]]), ('{"w": [1]}', {"w": [1]}), ("null", None)]
)
def test_values_are_json(text: str, value: Any) -> None:
    """By position, and behind a name."""
    assert parse_values([text, f"x={text}"]) == ([value], {"x": value})


def test_values_from_files(tmp_path: Path) -> None:
    """An .npy file is an array; an .npz file gives its arrays by name, or a dict behind a name."""
    np.save(tmp_path / "a.npy", np.arange(3.0))
    np.savez(tmp_path / "b.npz", x=np.ones(2), y=np.zeros(1))
    positional, named = parse_values([f"@{tmp_path / 'a.npy'}", f"@{tmp_path / 'b.npz'}"])
    np.testing.assert_array_equal(positional, [np.arange(3.0)])
    assert {name: value.shape for name, value in named.items()} == {"x": (2,), "y": (1,)}
    _, behind_a_name = parse_values([f"p=@{tmp_path / 'b.npz'}"])
    assert type(behind_a_name["p"]) is dict
    assert set(behind_a_name["p"]) == {"x", "y"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["[1, 2"], "is no JSON"),
        (["x=1", "x=2"], "'x' is given twice"),
        (["x = 1", "x=2"], "'x' is given twice"),
    ],
)
def test_values_that_cannot_be(texts: list[str], message: str) -> None:
    """A usage error that shows the text."""
    with pytest.raises(click.BadParameter, match=message):
        parse_values(texts)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    """One that is not there, one that is something else, and a pickle, which is never loaded."""
    with pytest.raises(FileNotFoundError):
        parse_values([f"@{tmp_path / 'absent.npy'}"])
    (tmp_path / "text.npy").write_text("hello")
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    for name in ("text.npy", "pickle.npy"):
        with pytest.raises(click.BadParameter, match=r"no \.npy or \.npz file of numbers"):
            parse_values([f"@{tmp_path / name}"])


@pytest.mark.parametrize(
    ("text", "argnums"), [(None, None), ("1", 1), ("0,1", (0, 1)), ("1,", (1,)), ("-1", -1), ("", ())]
)
def test_argnums(text: str | None, argnums: Any) -> None:
    """A number is bare, a comma makes a tuple, as in JAX."""
    assert parse_argnums(text) == argnums


def test_argnums_that_cannot_be() -> None:
    """A usage error."""
    with pytest.raises(click.BadParameter, match="no list of numbers"):
        parse_argnums("x")


def test_labels() -> None:
    """A value may have an equals sign, a key may not be empty."""
    assert parse_labels(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for text in ("a", "=b"):
        with pytest.raises(click.BadParameter, match="no label"):
            parse_labels([text])


def test_json_becomes_the_signature_s_containers() -> None:
    """Lists become tuples, dicts named tuples, wherever they stand; a leaf's list stays a list."""
    tree = DictNode(
        ("l", "t"),
        (ListNode((LEAF, Empty())), TupleNode((LEAF, NamedTupleNode("Point", ("u", "v"), (LEAF, LEAF))))),
    )
    value = fit(tree, {"t": [[1, 2], {"v": 4, "u": [3]}], "l": [5, None]})
    assert value == {"l": [5, None], "t": ([1, 2], ([3], 4))}
    assert (type(value["t"]).__name__, value["t"][1]._fields) == ("tuple", ("u", "v"))


@pytest.mark.parametrize("value", [[1, 2, 3], 7, {"u": 1}])
def test_what_does_not_fit_is_left(value: Any) -> None:
    """The client refuses it, with the place."""
    assert fit(TupleNode((LEAF, LEAF)), value) == value
    assert fit(NamedTupleNode("Point", ("u", "v"), (LEAF, LEAF)), value) == value
