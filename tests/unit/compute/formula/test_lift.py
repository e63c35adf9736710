"""The door of the format: signatures in, functions of flat leaves out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.program.container import Formula
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, TupleNode
from pullback_server.compute.formats.formula.lift import lift
from pullback_server.errors import Reason, ServiceError

F64 = parse_tensor_type("f64[3]")


def test_flat_leaves_in_and_one_array_out() -> None:
    """The function takes a sequence of leaves and gives a list of one array."""
    function = lift(Formula("x - 2*y"), Signature((Argument("x", LEAF, (F64,)), Argument("y", LEAF, (F64,)))))
    (result,) = function([np.ones(3), np.arange(3.0)])
    assert isinstance(result, jax.Array)
    np.testing.assert_array_equal(result, [1.0, -1.0, -3.0])


def test_no_arguments() -> None:
    """A formula of no argument is a constant."""
    assert lift(Formula("zeros((0, 2))"), Signature(()))([])[0].shape == (0, 2)


def test_zero_size() -> None:
    """Arrays without elements pass, as in JAX."""
    function = lift(Formula("sum(x**2)"), Signature((Argument("x", LEAF, (parse_tensor_type("f64[0,2]"),)),)))
    assert jax.grad(lambda x: function([x])[0])(jnp.zeros((0, 2))).shape == (0, 2)


def test_trees_are_refused() -> None:
    """An argument that is no single array is refused by name."""
    tree = TupleNode((LEAF, LEAF))
    with pytest.raises(ServiceError, match="the argument params is a tree of 2 arrays") as caught:
        lift(Formula("1"), Signature((Argument("params", tree, (F64, F64)),)))
    assert caught.value.reason is Reason.FORMULA_ERROR


@pytest.mark.parametrize("name", ["and", "None", "newaxis", "lambda"])
def test_reserved_names_are_refused(name: str) -> None:
    """An argument cannot be called by a word of the language."""
    with pytest.raises(ServiceError, match=f"the argument name {name} is a word of the language"):
        lift(Formula("1"), Signature((Argument(name, LEAF, (F64,)),)))


def test_function_is_pure() -> None:
    """Assignments of one call are not seen by the next."""
    function = lift(Formula("x = x + 1; x"), Signature((Argument("x", LEAF, (F64,)),)))
    first, second = (function([np.zeros(3)])[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
