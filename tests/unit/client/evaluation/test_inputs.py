"""What goes into an evaluation, flattened and checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pullback._evaluation.inputs import Inputs, collect
from pullback._evaluation.results import FLOAT0
from pullback._evaluation.wants import Quantity, Want, resolve
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, DictNode, TupleNode

F64, F32, I32 = map(parse_tensor_type, ("f64[3]", "f32[]", "i32[]"))
SIGNATURE = Signature(
    (
        Argument("p", DictNode(("n", "w"), (LEAF, LEAF)), (I32, F32)),
        Argument("x", LEAF, (F64,)),
    ),
    Result(TupleNode((LEAF, LEAF)), (F64, I32)),
)
P = {"w": 2.0, "n": 1}
X = np.zeros(3)


def collected(wants: list[Quantity | Want], inputs: Inputs, argnums: Any = None) -> Any:
    """What `collect` gives for wants as a user writes them."""
    return collect(SIGNATURE, resolve(wants, SIGNATURE, argnums), inputs)


def test_leaves_stand_in_the_order_of_the_signature() -> None:
    """Dicts by sorted keys, as in JAX, each leaf in its own dtype."""
    result = collected(["value"], Inputs((P, X)))
    assert [(leaf.path, leaf.array.dtype.name) for leaf in result.arguments] == [
        ("p['n']", "int32"),
        ("p['w']", "float32"),
        ("x", "float64"),
    ]
    assert (result.tangents, result.cotangents, result.points) == ((), (), None)


def test_batched_and_shared_arrays_together() -> None:
    """The size of the batch is that of the batched ones, wherever they are."""
    assert collected(["value"], Inputs((P, np.zeros((5, 3))))).points == 5
    assert collected(["value"], Inputs((P, np.zeros((0, 3))))).points == 0
    tangents = ({"w": np.zeros(7, "f4"), "n": None}, X)
    assert collected(["jvp"], Inputs((P, X), tangents=tangents)).points == 7


def test_batches_of_different_sizes() -> None:
    """Refused with the arrays' names and sizes."""
    with pytest.raises(
        InvalidArgumentError, match=r"p\['w'\] has 4.*x has 5|x has 5.*p\['w'\] has 4"
    ) as caught:
        collected(["value"], Inputs(({"w": np.zeros(4, "f4"), "n": 1}, np.zeros((5, 3)))))
    assert caught.value.reason == "SHAPE_MISMATCH"


@pytest.mark.parametrize("nothing", [None, np.zeros((), FLOAT0)])
def test_integers_have_no_tangents(nothing: Any) -> None:
    """None or float0 stands in their place, and nothing is sent."""
    result = collected(["jvp"], Inputs((P, X), tangents=({"w": 1.0, "n": nothing}, X)))
    assert [leaf.type for leaf in result.tangents] == [F32, F64]


def test_cotangents_are_those_of_the_result() -> None:
    """In its structure, without its integers."""
    result = collected(["vjp"], Inputs((P, X), cotangents=(X, None)))
    assert [leaf.type for leaf in result.cotangents] == [F64]


def test_tangents_of_chosen_arguments() -> None:
    """One for each of argnums, also where argnums is an integer."""
    result = collected(["hvp"], Inputs((P, X), tangents=(X,)), argnums=1)
    assert [leaf.type for leaf in result.tangents] == [F64]


@pytest.mark.parametrize(
    ("wants", "inputs", "reason", "message"),
    [
        (["jvp"], Inputs((P, X)), "MALFORMED_REQUEST", "needs tangents="),
        (["vjp"], Inputs((P, X)), "MALFORMED_REQUEST", "needs cotangents="),
        (["grad"], Inputs((P, X), tangents=(X,)), "MALFORMED_REQUEST", "only for jvp, hvp or ggn_vp"),
        (["grad"], Inputs((P, X), cotangents=X), "MALFORMED_REQUEST", "only for vjp"),
        (
            ["jvp"],
            Inputs((P, X), tangents=(X,)),
            "ARGUMENT_COUNT_MISMATCH",
            "tuple of 2.*but is a tuple of 1",
        ),
        (["jvp"], Inputs((P, X), tangents=X), "ARGUMENT_COUNT_MISMATCH", "but is a ndarray"),
        (
            ["jvp"],
            Inputs((P, X), tangents=({"w": 1.0, "n": 1}, X)),
            "ELEMENT_TYPE_MISMATCH",
            "must be None or zeros of dtype float0",
        ),
        (
            ["jvp"],
            Inputs((P, X), tangents=({"w": 1.0, "n": None}, X.astype("f4"))),
            "ELEMENT_TYPE_MISMATCH",
            "the tangent of x has the dtype float32",
        ),
        (
            ["jvp", Want("hvp", argnums=1)],
            Inputs((P, X), tangents=({"w": 1.0, "n": None}, X)),
            "INVALID_ARGNUMS",
            "share their tangents",
        ),
        (
            ["vjp"],
            Inputs((P, X), cotangents=X),
            "ARGUMENT_COUNT_MISMATCH",
            "the cotangent must be a tuple of 2",
        ),
        (["value"], Inputs(X, as_primals=True), "ARGUMENT_COUNT_MISMATCH", "primals must be a tuple of 2"),
        (["value"], Inputs((P,), as_primals=True), "ARGUMENT_COUNT_MISMATCH", "is a tuple of 1"),
    ],
)
def test_what_does_not_fit(wants: list[Any], inputs: Inputs, reason: str, message: str) -> None:
    """Refused with the reason that the server would give."""
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        collected(wants, inputs)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("shape", "points"), [((4, 3), None), ((6, 4, 3), 6)])
def test_many_tangents(shape: tuple[int, ...], points: int | None) -> None:
    """Directions stand before the axes of the leaf, and the points before them."""
    result = collected([Want("ggn_vp", directions=4)], Inputs((P, X), tangents=(np.zeros(shape),)), argnums=1)
    assert [tangent.array.shape for tangent in result.tangents] == [shape]
    assert result.points == points


@pytest.mark.parametrize("shape", [(3,), (3, 3), (2, 5, 3)])
def test_tangents_of_other_numbers(shape: tuple[int, ...]) -> None:
    """So many directions as were announced, or it is said what was expected."""
    with pytest.raises(InvalidArgumentError, match=r"f64\[4,3\]") as caught:
        collected([Want("hvp", directions=4)], Inputs((P, X), tangents=(np.zeros(shape),)), argnums=1)
    assert caught.value.reason == "SHAPE_MISMATCH"


def test_directions_that_differ() -> None:
    """What shares its tangents has the same directions."""
    wants = [Want("jvp", argnums=1, directions=4), Want("hvp", argnums=1)]
    with pytest.raises(InvalidArgumentError, match="same directions"):
        collected(wants, Inputs((P, X), tangents=(X,)))
