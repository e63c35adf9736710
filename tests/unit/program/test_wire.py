"""Programs as messages, and back."""

from __future__ import annotations

import keyword
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.container import (
    Formula,
    JaxExport,
    Producer,
    Program,
    StableHlo,
    StableHloModule,
)
from pullback.program.elements import ElementType
from pullback.program.errors import MalformedProgramError, ProgramError, TreeTooDeepError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, symbolic_type
from pullback.program.trees import (
    LEAF,
    DictNode,
    Empty,
    ListNode,
    NamedTupleNode,
    Tree,
    TupleNode,
    count_leaves,
)
from pullback.program.wire import (
    program_from_bytes,
    program_from_wire,
    program_to_bytes,
    program_to_wire,
    tensor_type_from_wire,
)
from pullback.v1 import program_pb2, tensor_pb2, tree_pb2

names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))


def _dict(children: dict[str, Tree]) -> Tree:
    return DictNode(tuple(sorted(children)), tuple(children[key] for key in sorted(children)))


def _named(name: str, children: dict[str, Tree]) -> Tree:
    return NamedTupleNode(name, tuple(children), tuple(children.values()))


trees: st.SearchStrategy[Tree] = st.recursive(
    st.just(LEAF) | st.just(Empty()),
    lambda children: (
        st.lists(children, max_size=3).map(lambda c: ListNode(tuple(c)))
        | st.lists(children, max_size=3).map(lambda c: TupleNode(tuple(c)))
        | st.dictionaries(st.text(max_size=3), children, max_size=3).map(_dict)
        | st.builds(_named, names, st.dictionaries(names, children, max_size=3))
    ),
    max_leaves=5,
)
axes = st.integers(0, 2**40) | st.sampled_from(["n", "2*n+m", "floordiv(n,2)"])
tensor_types = st.builds(symbolic_type, st.sampled_from(ElementType), st.lists(axes, max_size=4).map(tuple))


@st.composite
def leaved_trees(draw: st.DrawFn) -> tuple[Tree, tuple[TensorType, ...]]:
    """A tree with a type for each of its leaves."""
    tree = draw(trees)
    count = count_leaves(tree)
    return tree, tuple(draw(st.lists(tensor_types, min_size=count, max_size=count)))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Any program."""
    arguments = tuple(
        Argument(name, *draw(leaved_trees())) for name in draw(st.lists(names, unique=True, max_size=3))
    )
    stable_hlo = st.builds(
        StableHlo, st.binary(max_size=9), st.lists(st.binary(max_size=9), max_size=2).map(tuple)
    )
    producer = st.builds(
        Producer,
        st.text(max_size=3),
        st.text(max_size=3),
        st.dictionaries(st.text(max_size=3), st.text(max_size=3)),
    )
    result = draw(st.none() | leaved_trees().map(lambda pair: Result(*pair)))
    foreign = st.builds(StableHloModule, st.binary(max_size=9), st.lists(names, max_size=2).map(tuple))
    artifact = st.builds(JaxExport, st.binary(max_size=9), st.lists(names, max_size=2).map(tuple))
    body = stable_hlo | st.builds(Formula, st.text()) | foreign | artifact
    return Program(draw(body), Signature(arguments, result), draw(producer))


@given(programs())
def test_to_bytes_and_back(program: Program) -> None:
    """A program that was sent is the program that arrives."""
    assert program_from_bytes(program_to_bytes(program)) == program


@given(programs(), st.data())
def test_damaged_bytes_never_surprise(program: Program, data: st.DataObject) -> None:
    """Bytes that were changed give a program or a ProgramError, nothing else."""
    damaged = bytearray(program_to_bytes(program))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ProgramError):
        assert isinstance(program_from_bytes(bytes(damaged)), Program)


PROGRAM = Program(Formula("x"), Signature((Argument("x", LEAF, (TensorType(ElementType.F64, (3,)),)),)))


def test_another_container_version_is_named() -> None:
    """A container from the future is refused with both versions."""
    message = program_to_wire(PROGRAM)
    message.format_version = 7
    with pytest.raises(MalformedProgramError, match="container version 7; this version reads 1"):
        program_from_wire(message)


def test_a_body_is_needed() -> None:
    """A program without a body is refused."""
    message = program_to_wire(PROGRAM)
    message.ClearField("formula")
    with pytest.raises(MalformedProgramError, match="no body"):
        program_from_wire(message)


def test_unsorted_keys_are_refused() -> None:
    """Leaves are numbered by sorted keys, so that others would be ambiguous."""
    message = program_to_wire(PROGRAM)
    leaf = tree_pb2.Tree(leaf=tree_pb2.Tree.Leaf())
    message.signature.arguments[0].tree.CopyFrom(
        tree_pb2.Tree(dict=tree_pb2.Tree.Mapping(keys=["b", "a"], children=[leaf, leaf]))
    )
    with pytest.raises(MalformedProgramError, match="sorted"):
        program_from_wire(message)


def test_a_bottomless_tree_is_refused() -> None:
    """Nesting is limited."""
    message = program_to_wire(PROGRAM)
    tree = tree_pb2.Tree(leaf=tree_pb2.Tree.Leaf())
    for _ in range(40):
        tree = tree_pb2.Tree(list=tree_pb2.Tree.Sequence(children=[tree]))
    message.signature.arguments[0].tree.CopyFrom(tree)
    with pytest.raises(MalformedProgramError, match="deeper than 32"):
        program_from_wire(message)


def _very_many(what: str) -> program_pb2.Program:
    """A program with more parts of a kind than are read, each next to nothing."""
    message = program_to_wire(PROGRAM)
    none = tree_pb2.Tree(none=tree_pb2.Tree.Empty())
    match what:
        case "nodes of trees":  # in two trees, each of which would do
            half = tree_pb2.Tree(list=tree_pb2.Tree.Sequence(children=[none] * (1 << 16)))
            message.signature.arguments[0].tree.CopyFrom(half)
            del message.signature.arguments[0].leaves[:]
            message.signature.result.CopyFrom(half)
        case "names in a tree":
            names = tree_pb2.Tree.Mapping(keys=["a"] * ((1 << 17) + 1))
            message.signature.result.CopyFrom(tree_pb2.Tree(dict=names))
        case "tensors":
            message.signature.result_leaves.extend([tensor_pb2.TensorType()] * (1 << 17))
        case "arguments":
            message.signature.arguments.extend([program_pb2.Argument()] * (1 << 17))
        case "constants":
            message.stable_hlo.constants.extend([program_pb2.Constant()] * ((1 << 17) + 1))
        case _:
            message.stable_hlo.modules.extend([b""] * ((1 << 17) + 1))
    return message


@pytest.mark.parametrize(
    "what", ["nodes of trees", "names in a tree", "tensors", "arguments", "constants", "modules"]
)
def test_very_many_parts_are_refused(what: str) -> None:
    """Few bytes can be a great many parts, each of which is an object here."""
    with pytest.raises(MalformedProgramError, match=f"more than 131072 {what}"):
        program_from_wire(_very_many(what))


@pytest.mark.parametrize("field", ["class", "_x", "a b", ""])
def test_fields_must_be_usable_names(field: str) -> None:
    """A named tuple's fields become attributes, so they must be names that can be attributes."""
    message = program_to_wire(PROGRAM)
    leaf = tree_pb2.Tree(leaf=tree_pb2.Tree.Leaf())
    named = tree_pb2.Tree.NamedTuple(type_name="P", fields=[field], children=[leaf])
    message.signature.arguments[0].tree.CopyFrom(tree_pb2.Tree(named_tuple=named))
    with pytest.raises(MalformedProgramError, match="unusable fields"):
        program_from_wire(message)


def test_negative_sizes_are_refused() -> None:
    """A shape has no negative sizes."""
    message = program_to_wire(PROGRAM)
    message.signature.arguments[0].leaves[0].shape[0] = -1
    with pytest.raises(MalformedProgramError, match="negative size"):
        program_from_wire(message)


@pytest.mark.parametrize(
    ("shape", "symbols"),
    [([-1], ["n", ""]), ([3], ["n"]), ([-1], [""]), ([-2], ["n"]), ([-1], ["n if n else n"])],
)
def test_symbols_that_do_not_fit_their_shape(shape: list[int], symbols: list[str]) -> None:
    """Each axis has a size, or -1 and an expression."""
    message = tensor_pb2.TensorType(element_type="ELEMENT_TYPE_F64", shape=shape, symbols=symbols)
    with pytest.raises(MalformedProgramError):
        tensor_type_from_wire(message)


@pytest.mark.parametrize("depth", [60, 5_000])
def test_trees_that_protobuf_does_not_read(depth: int) -> None:
    """Trees far deeper than allowed are refused as those that are a little too deep."""

    def field(number: int, data: bytes) -> bytes:
        length, size = len(data), b""
        while length > 127:
            size += bytes([length & 127 | 128])
            length >>= 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + data

    of_list = tree_pb2.Tree.DESCRIPTOR.fields_by_name["list"].number
    of_signature = program_pb2.Program.DESCRIPTOR.fields_by_name["signature"].number
    tree = tree_pb2.Tree(leaf=tree_pb2.Tree.Leaf()).SerializeToString()
    for _ in range(depth):
        tree = field(of_list, field(1, tree))
    with pytest.raises(TreeTooDeepError, match="deeper than 32"):
        program_from_bytes(field(of_signature, field(1, field(2, tree))))
