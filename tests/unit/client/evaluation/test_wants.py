"""What is wanted, with defaults filled in as in JAX."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pullback import Want
from pullback._evaluation.wants import Quantity, quantity_name, resolve, want_to_wire
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.v1 import evaluation_pb2

F64 = parse_tensor_type("f64[]")
SIGNATURE = Signature(tuple(Argument(name, LEAF, (F64,)) for name in ("x", "y", "z")))


def order_of(quantity: str) -> int:
    """An order that the quantity can have."""
    return 2 if quantity == "derivative" else 0


@pytest.mark.parametrize(
    ("quantity", "argnums", "expected", "bare"),
    [
        ("value", None, (), True),
        ("value", 1, (), True),
        ("grad", None, (0,), True),
        ("grad", 1, (1,), True),
        ("grad", -1, (2,), True),
        ("grad", (1,), (1,), False),
        ("hessian", (2, 0), (2, 0), False),
        ("jacobian", [0, -1], (0, 2), False),
        ("jvp", None, (0, 1, 2), False),
        ("vjp", None, (0, 1, 2), False),
        ("vjp", 1, (1,), True),
        ("hvp", None, (0,), True),
        ("ggn_vp", None, (0,), True),
        ("laplacian", (0, 1), (0, 1), False),
    ],
)
def test_argnums(quantity: Quantity, argnums: Any, expected: tuple[int, ...], bare: bool) -> None:
    """An integer is bare, a sequence gives tuples, nothing is argument 0, or all for jvp and vjp."""
    (want,) = resolve([quantity], SIGNATURE, argnums)
    assert (want.argnums, want.bare) == (expected, bare)


def test_a_want_s_own_argnums_come_first() -> None:
    """Those of the call are for wants that do not say."""
    first, second = resolve(["grad", Want("hessian", argnums=1)], SIGNATURE, 2)
    assert (first.argnums, second.argnums) == ((2,), (1,))


@pytest.mark.parametrize("argnums", [3, -4, (0, 3), (0, 0), (0, -3), (), "x", (1.0,)])
def test_argnums_that_cannot_be(argnums: Any) -> None:
    """Out of range, twice, none, or no number: refused with the arguments' names."""
    with pytest.raises(InvalidArgumentError, match="0: x, 1: y, 2: z") as caught:
        resolve(["grad"], SIGNATURE, argnums)
    assert caught.value.reason == "INVALID_ARGNUMS"


@pytest.mark.parametrize(
    ("wants", "message"),
    [
        ([], "is no list of what is wanted"),
        ("grad", "is no list of what is wanted"),
        (["gradient"], "cannot be wanted; choose among value, grad"),
        (["grad", "grad"], "two wants have the key 'grad'"),
        (["derivative"], "a derivative has one from 1"),
        ([Want("grad", order=2)], "order=2 does not fit 'grad'"),
        ([Want("derivative", order=-1)], "order=-1"),
        ([Want("hessian", modes=["forward"])], "pass 2 in a list"),
        ([Want("derivative", order=3, modes=["forward"] * 2)], "pass 3 in a list"),
        ([Want("jacobian", modes="forward")], "modes='forward' does not fit jacobian; pass 1 in a list"),
        ([Want("hessian", modes=["forward", "sideways"])], "each forward or reverse"),
        ([Want("grad", modes=["reverse"])], "whose modes the server chooses"),
        ([Want("hessian", sparse=True, modes=["reverse", "forward"])], "a sparse hessian"),
        ([Want("grad", sparse=True)], "a grad cannot be sparse"),
        ([Want("grad", directions=3)], "a grad has no directions"),
        ([Want("jvp", directions=-1)], "directions=-1 is no number"),
        ([Want("jvp", directions=True)], "directions=True is no number"),
    ],
)
def test_wants_that_cannot_be(wants: Any, message: str) -> None:
    """Refused before anything is sent."""
    with pytest.raises(InvalidArgumentError, match=message) as caught:
        resolve(wants, SIGNATURE)
    assert caught.value.reason == "MALFORMED_REQUEST"


def test_keys() -> None:
    """A want's name is its key; otherwise its quantity is."""
    wants = resolve(["value", Want("derivative", order=3, name="third")], SIGNATURE)
    assert [want.key for want in wants] == ["value", "third"]


@pytest.mark.parametrize("quantity", get_args(Quantity))
def test_on_the_wire(quantity: Quantity) -> None:
    """Every quantity has an enum value, and modes stand with Jacobians only."""
    (want,) = resolve([Want(quantity, order=order_of(quantity))], SIGNATURE)
    message = want_to_wire(want)
    assert message.quantity != evaluation_pb2.QUANTITY_UNSPECIFIED
    assert tuple(message.argnums) == want.argnums
    modes = {"jacfwd": evaluation_pb2.MODE_FORWARD, "jacrev": evaluation_pb2.MODE_REVERSE}
    assert message.mode == modes.get(quantity, evaluation_pb2.MODE_UNSPECIFIED)
    assert message.order == order_of(quantity)


def test_what_a_want_can_say_on_the_wire() -> None:
    """Modes innermost first, a Jacobian's in its own field; directions also where there are none of them."""
    wants = resolve(
        [
            Want("jacobian", modes=["reverse"], sparse=True),
            Want("derivative", order=3, modes=("forward", "reverse", "forward")),
            Want("hvp", directions=0),
            Want("jvp"),
        ],
        SIGNATURE,
    )
    jacobian, derivative, hvp, jvp = map(want_to_wire, wants)
    forward, reverse = evaluation_pb2.MODE_FORWARD, evaluation_pb2.MODE_REVERSE
    assert (jacobian.mode, list(jacobian.modes), jacobian.sparse) == (reverse, [], True)
    assert (derivative.mode, list(derivative.modes)) == (0, [forward, reverse, forward])
    assert (hvp.HasField("directions"), hvp.directions) == (True, 0)
    assert not jvp.HasField("directions")


def test_names_of_quantities() -> None:
    """A server's list is given in the client's words; one from the future by its number."""
    numbers = [number for number in evaluation_pb2.Quantity.values() if number]
    assert {quantity_name(number) for number in numbers} <= set(get_args(Quantity))
    assert quantity_name(evaluation_pb2.QUANTITY_JACOBIAN) == "jacobian"
    assert quantity_name(99) == "99"
