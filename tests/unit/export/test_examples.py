"""What goes into a function, read from examples."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.export import ExampleError, export
from pullback.program.digest import digest
from pullback.program.errors import TreeMismatchError
from pullback.program.trees import (
    DictNode,
    Empty,
    ListNode,
    NamedTupleNode,
    TupleNode,
    flatten,
    unflatten,
)
from pullback.program.wire import program_from_bytes, program_to_bytes


@pytest.fixture(autouse=True)
def _narrow_types() -> Iterator[None]:
    """JAX as it is when nobody has asked for 64-bit types, whatever ran in this process before."""
    with jax.enable_x64(False):
        yield


Pair = namedtuple("Pair", ["left", "right"])  # noqa: PYI024 -- what a user may well have


def _first(tree: Any) -> jax.Array:
    return jnp.sum(jnp.asarray(jax.tree.leaves(tree)[0]))


@pytest.mark.parametrize(
    ("example", "spelling"),
    [
        (np.zeros((2, 3)), "f64[2,3]"),
        (np.zeros((0, 3), np.float32), "f32[0,3]"),
        (jnp.zeros(4, jnp.bfloat16), "bf16[4]"),
        (np.zeros((), np.complex128), "c128[]"),
        (np.zeros(2, np.int64), "i64[2]"),
        (np.zeros(2, bool), "i1[2]"),
        (np.float64(1.0), "f64[]"),
        (jax.ShapeDtypeStruct((5,), jnp.float16), "f16[5]"),
        (2.0, "f32[]"),
        (3, "i32[]"),
    ],
)
def test_types_are_those_of_the_examples(example: Any, spelling: str) -> None:
    """64-bit examples stay so though JAX's wide types are off; a Python number follows JAX's rule."""
    (argument,) = export(lambda x: x, example).signature.arguments
    assert [str(leaf) for leaf in argument.leaves] == [spelling]


def test_python_number_beside_wide_array_is_wide() -> None:
    """A Python number has the type that it has in the mode in force."""
    program = export(lambda x, s: x * s, np.zeros(3), 2.0)
    assert [str(leaf) for leaf in program.signature.leaves] == ["f64[3]", "f64[]"]


def test_structures_are_kept() -> None:
    """Dicts, lists, tuples, named tuples and None become tree nodes, and the result's too."""
    example = {"b": [np.zeros(2)], "a": (np.zeros(3), None), "c": Pair(np.zeros(1), np.zeros(4))}
    program = export(lambda tree: {"out": tree["c"], "none": None}, example)
    (argument,) = program.signature.arguments
    assert isinstance(argument.tree, DictNode)
    kinds = [type(child) for child in argument.tree.children]
    assert kinds == [TupleNode, ListNode, NamedTupleNode]
    assert argument.paths == ("tree['a'][0]", "tree['b'][0]", "tree['c'].left", "tree['c'].right")
    assert program.signature.result is not None
    assert [type(child) for child in program.signature.result.tree.children] == [Empty, NamedTupleNode]


def test_ordered_dict_keeps_its_own_order_inside() -> None:
    """Leaves are numbered by sorted keys, while the function is given the user's own container."""
    example = OrderedDict([("z", np.zeros(2)), ("a", np.zeros(3))])
    program = export(lambda d: (next(iter(d.values())), isinstance(d, OrderedDict) * 1.0), example)
    assert [str(leaf) for leaf in program.signature.leaves] == ["f64[3]", "f64[2]"]
    assert program.signature.result is not None
    assert str(program.signature.result.leaves[0]) == "f64[2]"


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x, y: x + y, ("x", "y")),
        (lambda *xs: xs[0] + xs[1], ("arg0", "arg1")),
        (lambda x, *rest: x + rest[0], ("x", "arg1")),
        (partial(lambda a, x, y: a + x + y, 1.0), ("x", "y")),
        (jax.jit(lambda left, right: left + right), ("left", "right")),
    ],
)
def test_names_come_from_the_signature(function: Any, names: tuple[str, ...]) -> None:
    """Arguments are named as the function's parameters, or numbered."""
    program = export(function, np.zeros(2), np.zeros(2))
    assert tuple(argument.name for argument in program.signature.arguments) == names


def test_names_can_be_given() -> None:
    """Given names replace the function's own."""
    program = export(lambda x: x, np.zeros(2), argument_names=["theta"])
    assert program.signature.arguments[0].name == "theta"


def test_wrong_number_of_names_is_refused() -> None:
    """One name per example."""
    with pytest.raises(ExampleError, match="2 argument names were given for 1 examples"):
        export(lambda x: x, np.zeros(2), argument_names=["a", "b"])


@jax.tree_util.register_pytree_node_class
class _Box:
    def __init__(self, content: Any) -> None:
        self.content = content

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        """As JAX wants it."""
        return (self.content,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any]) -> _Box:
        """As JAX wants it."""
        return cls(*children)


@jax.tree_util.register_dataclass
@dataclass
class _Layer:
    weight: Any
    activation: Any
    bias: Any = None


def test_custom_nodes_become_dicts_of_their_arrays() -> None:
    """What is no array is part of the function; the names are those of JAX's keys, in order."""
    layer = _Layer(np.zeros((2, 3)), jnp.tanh, [np.zeros(2)])
    program = export(lambda layer, x: layer.activation(layer.weight @ x + layer.bias[0]), layer, np.zeros(3))
    assert program.signature.arguments[0].paths == ("layer['bias'][0]", "layer['weight']")
    again = program_from_bytes(program_to_bytes(program))
    assert isinstance(again.signature.arguments[0].tree, DictNode)
    assert digest(again) == digest(program)


def test_custom_nodes_are_made_again() -> None:
    """Results have what is no array in them, derivatives have None there."""
    layer = _Layer(np.zeros((2, 3)), jnp.tanh)
    signature = export(lambda layer: layer, layer).signature
    assert signature.result is not None
    ones = np.ones((2, 3))
    result = unflatten(signature.result.tree, [ones])
    derivative = unflatten(signature.arguments[0].tree, [ones])
    assert isinstance(result, _Layer)
    assert isinstance(derivative, _Layer)
    assert (result.weight is ones, result.activation) == (True, jnp.tanh)
    assert (derivative.weight is ones, derivative.activation) == (True, None)


def test_custom_nodes_are_taken_as_themselves_or_as_dicts() -> None:
    """A call gives a container of the type with the same constants, or the dict that stands for it."""
    (argument,) = export(_first, _Layer(np.zeros(3), jnp.tanh)).signature.arguments
    weight = np.ones(3)
    for value in (_Layer(weight, jnp.tanh), _Layer(weight, None), {"weight": weight}):
        assert flatten(argument.tree, value, "layer") == [weight]
    for wrong, words in (
        (_Layer(weight, jnp.sin), r"layer.activation is .*sin.*exported with .*tanh.*register it again"),
        ({"weight": weight, "bias": weight}, "dict with the keys"),
        (_Box(weight), "must be a _Layer"),
    ):
        with pytest.raises(TreeMismatchError, match=words):
            flatten(argument.tree, wrong, "layer")


def test_nodes_without_names_are_numbered() -> None:
    """A container that names no parts has their numbers as keys."""
    (argument,) = export(_first, _Box({"a": np.zeros(3)}), argument_names=["box"]).signature.arguments
    assert argument.paths == ("box['0']['a']",)


@pytest.mark.parametrize("leaf", ["text", object(), np.array(["a"]), np.array(["2020"], "datetime64[D]")])
def test_what_is_no_array_is_refused(leaf: Any) -> None:
    """Text, objects and dates are no arrays of numbers."""
    with pytest.raises(ExampleError, match=r"x|cannot be sent"):
        export(_first, leaf, argument_names=["x"])


@pytest.mark.parametrize(("impl", "spelling"), [("threefry2x32", "ui32[2,2]"), ("rbg", "ui32[2,4]")])
def test_keys_travel_as_their_data(impl: str, spelling: str) -> None:
    """A random key is of an element type that other languages do not have; its data are integers."""
    keys = jax.random.split(jax.random.key(0, impl=impl), 2)
    program = export(lambda keys: (keys, jax.vmap(jax.random.normal)(keys)), keys)
    assert program.signature.result is not None
    assert [str(leaf) for leaf in program.signature.leaves] == [spelling]
    assert [str(leaf) for leaf in program.signature.result.leaves] == [spelling, "f32[2]"]


def test_dict_with_other_keys_is_refused() -> None:
    """Keys are text."""
    with pytest.raises(ExampleError, match="keys must be text"):
        export(_first, {1: np.zeros(2)})
