"""Results in the trees that JAX gives, which is asked itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback._evaluation.results import FLOAT0, Assembly, Results, Timing, compose
from pullback._evaluation.sparse import Sparse
from pullback._evaluation.wants import Quantity, Want, resolve
from pullback.errors import InvalidArgumentError, ServerError
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import LEAF, DictNode, Empty, ListNode, NamedTupleNode, TupleNode, structure_of


class Point(NamedTuple):
    """A named tuple, which has a class of the same name and fields on the other side."""

    u: Any
    v: Any


ARGUMENTS = (
    {"w": np.ones((2, 3), "f4"), "b": [np.ones(3, "f4"), None]},
    Point(np.float32(2.0), (np.ones(0, "f4"),)),
)


def scalar(params: Any, point: Any) -> Any:
    """A scalar function of both arguments."""
    return jnp.sum(params["w"] ** 2) * point.u + jnp.sum(params["b"][0]) + jnp.sum(point.v[0])


def tree(params: Any, point: Any) -> Any:
    """A function whose result is a tree."""
    return {"a": params["w"] * point.u, "c": (scalar(params, point), None)}


def types_of(value: Any) -> tuple[Any, tuple[TensorType, ...]]:
    """The structure and the leaf types of a value."""
    structure, leaves = structure_of(value)
    return structure, tuple(TensorType(element_of(np.dtype(leaf.dtype)), leaf.shape) for leaf in leaves)


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature that a server would give."""
    names = zip(("params", "point"), ARGUMENTS, strict=True)
    arguments = tuple(Argument(name, *types_of(value)) for name, value in names)
    return Signature(arguments, Result(*types_of(jax.eval_shape(function, *ARGUMENTS))))


def plain(value: Any) -> Any:
    """A tree in which named tuples are compared by name and fields, not by class."""
    match value:
        case tuple() if hasattr(value, "_fields"):
            return (type(value).__name__, *((name, plain(getattr(value, name))) for name in value._fields))
        case dict():
            return {key: plain(part) for key, part in value.items()}
        case list() | tuple():
            return type(value)(map(plain, value))
        case None:
            return None
        case _:
            return (np.asarray(value).shape, np.asarray(value).tobytes())


CASES: list[tuple[Quantity, int, Callable[..., Any], Callable[..., Any], Any]] = [
    ("grad", 0, jax.grad, scalar, 1),
    ("grad", 0, jax.grad, scalar, (1, 0)),
    ("jacobian", 0, jax.jacrev, tree, 0),
    ("jacfwd", 0, jax.jacfwd, tree, (0, 1)),
    ("hessian", 0, jax.hessian, tree, 1),
    ("hessian", 0, jax.hessian, scalar, (1, 0)),
    ("derivative", 1, jax.jacrev, tree, (1,)),
    ("derivative", 2, jax.hessian, tree, 1),
]


@pytest.mark.parametrize(("quantity", "order", "transform", "function", "argnums"), CASES)
def test_the_tree_is_jax_s(
    quantity: Quantity,
    order: int,
    transform: Callable[..., Any],
    function: Callable[..., Any],
    argnums: Any,
) -> None:
    """Leaves in JAX's order become exactly the tree that JAX gives."""
    expected = transform(function, argnums=argnums)(*ARGUMENTS)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(expected)]
    signature = signature_of(function)
    (want,) = resolve([Want(quantity, argnums, order)], signature)
    assert plain(Assembly(want, signature).assemble(leaves, None)) == plain(expected)


MIXED = Signature(
    (
        Argument("n", LEAF, (parse_tensor_type("i32[2]"),)),
        Argument("x", LEAF, (parse_tensor_type("f64[3]"),)),
    ),
    Result(TupleNode((LEAF, LEAF)), (parse_tensor_type("f64[3]"), parse_tensor_type("i32[]"))),
)


@pytest.mark.parametrize(("points", "shape"), [(None, (2,)), (5, (5, 2)), (0, (0, 2))])
def test_cotangents_of_integers_are_float0(points: int | None, shape: tuple[int, ...]) -> None:
    """As jax.vjp gives them; the server passes them over."""
    (want,) = resolve(["vjp"], MIXED)
    batch = () if points is None else (points,)
    n, x = Assembly(want, MIXED).assemble([np.ones((*batch, 3))], points)
    assert (n.dtype, n.shape, x.shape) == (jax.dtypes.float0, shape, (*batch, 3))
    assert jax.dtypes.float0 == FLOAT0


def test_tangents_of_integer_results_are_float0() -> None:
    """As jax.jvp gives them."""
    (want,) = resolve(["jvp"], MIXED)
    x, n = Assembly(want, MIXED).assemble([np.ones(3)], None)
    assert (x.shape, n.dtype, n.shape) == ((3,), FLOAT0, ())


def test_the_wrong_number_of_arrays() -> None:
    """An error of the server that says how many."""
    (want,) = resolve(["value"], MIXED)
    with pytest.raises(ServerError, match="3 arrays for 'value', which has 2"):
        Assembly(want, MIXED).assemble([np.ones(3)] * 3, None)


def test_composition_reaches_every_container() -> None:
    """The inner structure stands at each leaf, None stays."""
    inner = ListNode((LEAF,))
    outer = DictNode(("a", "b"), (NamedTupleNode("T", ("x", "y"), (LEAF, Empty())), TupleNode((LEAF,))))
    expected = DictNode(("a", "b"), (NamedTupleNode("T", ("x", "y"), (inner, Empty())), TupleNode((inner,))))
    assert compose(outer, inner) == expected
    assert compose(ListNode((LEAF, Empty())), outer) == ListNode((outer, Empty()))


def test_results_by_key_and_attribute() -> None:
    """A mapping in the order of the wants, with the revision and the timing beside."""
    results = Results({"value": 1, "grad": 2}, "functions/f/revisions/0", Timing(3.0, 2.0, 1.0, 0.5, 64, 3))
    assert (results["value"], results.grad, list(results), len(results)) == (1, 2, ["value", "grad"], 2)
    assert (results.revision, results.timing.compile, results.timing.batch) == (
        "functions/f/revisions/0",
        2.0,
        64,
    )
    assert copy.copy(results).grad == 2
    assert repr(results) == "Results(value=1, grad=2)"
    with pytest.raises(AttributeError, match="'hessian' was not wanted"):
        _ = results.hessian


def test_sparse_matrices() -> None:
    """Three arrays each, in the tree of the dense ones: a matrix for each pair of leaves, batched or not."""
    rows, columns = np.array([0, 1, 1], np.int32), np.array([2, 0, 1], np.int32)
    values = np.arange(6.0).reshape(2, 3)
    signature = Signature(
        (
            Argument("x", LEAF, (parse_tensor_type("f64[3]"),)),
            Argument("y", LEAF, (parse_tensor_type("f64[]"),)),
        ),
        Result(ListNode((LEAF,)), (parse_tensor_type("f64[2]"),)),
    )
    (want,) = resolve([Want("jacobian", argnums=(0, 1), sparse=True)], signature)
    nothing = np.zeros((2, 0)), rows[:0], columns[:0]
    ((x, y),) = Assembly(want, signature).assemble([values, rows, columns, *nothing], 2)
    assert (x.shape, y.shape) == ((2, 3), (2, 1))
    np.testing.assert_array_equal(x.todense()[1], [[0, 0, 3], [4, 5, 0]])
    np.testing.assert_array_equal(y.todense(), np.zeros((2, 2, 1)))
    one = Sparse(values[0], rows, columns, (2, 3))
    np.testing.assert_array_equal(one.to_scipy().toarray(), one.todense())
    assert repr(x) == "<Sparse [2, 3] float64, 3 entries at 2 points>"
    with pytest.raises(InvalidArgumentError, match="batch of 2 matrices"):
        x.to_scipy()


def test_sparse_hessians() -> None:
    """Rows are those of one argument, columns those of another."""
    (want,) = resolve([Want("hessian", argnums=(0, 1), sparse=True)], HESSIAN_OF)
    triple = np.zeros(1), np.zeros(1, np.int32), np.zeros(1, np.int32)
    blocks = Assembly(want, HESSIAN_OF).assemble(triple * 4, None)
    assert [[block.shape for block in row] for row in blocks] == [[(3, 3), (3, 2)], [(2, 3), (2, 2)]]


HESSIAN_OF = Signature(
    (
        Argument("x", LEAF, (parse_tensor_type("f64[3]"),)),
        Argument("y", LEAF, (parse_tensor_type("f64[1,2]"),)),
    ),
    Result(LEAF, (parse_tensor_type("f64[]"),)),
)


def test_zeros_in_many_directions() -> None:
    """The axis of the directions stands behind that of the points."""
    (want,) = resolve([Want("vjp", directions=4)], MIXED)
    zeros, pulled = Assembly(want, MIXED).assemble([np.ones((5, 4, 3))], 5)
    assert (zeros.dtype, zeros.shape) == (FLOAT0, (5, 4, 2))
    assert pulled.shape == (5, 4, 3)
