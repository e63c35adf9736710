"""Programs as protobuf messages, and back."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from typing import Final, assert_never, cast

from google.protobuf.message import DecodeError

from pullback.program.container import (
    FORMAT_VERSION,
    Body,
    Constant,
    Formula,
    JaxExport,
    Onnx,
    Producer,
    Program,
    StableHlo,
    StableHloModule,
)
from pullback.program.elements import ElementType
from pullback.program.errors import MalformedProgramError, TreeTooDeepError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import UNKNOWN, TensorType, symbolic_type
from pullback.program.trees import (
    LEAF,
    CustomNode,
    DictNode,
    Empty,
    Leaf,
    ListNode,
    NamedTupleNode,
    Tree,
    TupleNode,
)
from pullback.v1 import program_pb2, tensor_pb2, tree_pb2

_PREFIX: Final = "ELEMENT_TYPE_"
# The stubs call an enum's numbers a class of their own; at run time they are plain integers.
_TO_ENUM: Final[dict[ElementType, tensor_pb2.ElementType]] = {
    element: cast(tensor_pb2.ElementType, tensor_pb2.ElementType.Value(_PREFIX + element.value.upper()))
    for element in ElementType
}
_FROM_ENUM: Final[dict[int, ElementType]] = {number: element for element, number in _TO_ENUM.items()}
_DEEPEST_TREE: Final = 32
MOST_PARTS: Final = 1 << 17
"""So many of each of its parts a program may have: arguments, tensors, nodes of trees, constants, modules."""
_LONGEST_NAMES: Final = 300
# What protobuf says of messages that are nested more than 100 deep.
_TOO_DEEP: Final = "MaxDepth"
_DIGEST: Final = re.compile("[0-9a-f]{64}")


def element_to_wire(element: ElementType) -> tensor_pb2.ElementType:
    """The enum value of an element type."""
    return _TO_ENUM[element]


def element_from_wire(number: int) -> ElementType:
    """The element type of an enum value.

    Raises:
        MalformedProgramError: If the number is 0 or unknown here.
    """
    if number not in _FROM_ENUM:
        raise MalformedProgramError(
            f"element type {number} is unknown; this version knows {min(_FROM_ENUM)} to {max(_FROM_ENUM)}"
        )
    return _FROM_ENUM[number]


def tensor_type_to_wire(tensor_type: TensorType) -> tensor_pb2.TensorType:
    """The message of a tensor type."""
    return tensor_pb2.TensorType(
        element_type=_TO_ENUM[tensor_type.element], shape=tensor_type.shape, symbols=tensor_type.symbols
    )


def tensor_type_from_wire(message: tensor_pb2.TensorType) -> TensorType:
    """The tensor type of a message.

    Raises:
        MalformedProgramError: If the element type is unknown, a size is negative, or a symbolic size is no
            expression.
    """
    shape = tuple(message.shape)
    if message.symbols:
        return _symbolic_from_wire(message)
    if any(size < 0 for size in shape):
        raise MalformedProgramError(f"the shape {list(shape)} has a negative size")
    return TensorType(element_from_wire(message.element_type), shape)


def _symbolic_from_wire(message: tensor_pb2.TensorType) -> TensorType:
    shape, symbols = tuple(message.shape), tuple(message.symbols)
    if len(shape) != len(symbols) or not all(map(_go_together, shape, symbols)):
        raise MalformedProgramError(
            f"the shape {list(shape)} does not go with the symbols {list(symbols)}; give both for each axis: "
            f"{UNKNOWN} and an expression, or a size and an empty text"
        )
    sizes = tuple(text or size for size, text in zip(shape, symbols, strict=True))
    return symbolic_type(element_from_wire(message.element_type), sizes)


def _go_together(size: int, text: str) -> bool:
    return size == UNKNOWN if text else size >= 0


def tree_to_wire(tree: Tree) -> tree_pb2.Tree:
    """The message of a tree."""
    match tree:
        case Leaf():
            return tree_pb2.Tree(leaf=tree_pb2.Tree.Leaf())
        case Empty():
            return tree_pb2.Tree(none=tree_pb2.Tree.Empty())
        case ListNode(children=children):
            return tree_pb2.Tree(list=tree_pb2.Tree.Sequence(children=map(tree_to_wire, children)))
        case TupleNode(children=children):
            return tree_pb2.Tree(tuple=tree_pb2.Tree.Sequence(children=map(tree_to_wire, children)))
        case DictNode(keys=keys, children=children) | CustomNode(keys=keys, children=children):
            mapping = tree_pb2.Tree.Mapping(keys=keys, children=map(tree_to_wire, children))
            return tree_pb2.Tree(dict=mapping)
        case NamedTupleNode(type_name=name, fields=fields, children=children):
            named = tree_pb2.Tree.NamedTuple(
                type_name=name, fields=fields, children=map(tree_to_wire, children)
            )
            return tree_pb2.Tree(named_tuple=named)
        case _:
            assert_never(tree)


def tree_from_wire(message: tree_pb2.Tree) -> Tree:
    """The tree of a message.

    Raises:
        MalformedProgramError: If a node is empty, keys are unsorted or double, names are no names, or it has
            more than 131072 nodes.
        TreeTooDeepError: If the tree is deeper than 32.
    """
    return _Trees().read(message)


class _Trees:
    """Reads the trees of one signature, which are bounded together: a node is larger in memory than sent."""

    def __init__(self) -> None:
        self._nodes = 0

    def read(self, message: tree_pb2.Tree, depth: int = 0) -> Tree:
        """One tree, or a part of one."""
        if depth > _DEEPEST_TREE:
            raise TreeTooDeepError(_DEEPEST_TREE)
        self._nodes += 1
        _check_count(self._nodes, "nodes of trees")
        match message.WhichOneof("node"):
            case "leaf":
                return LEAF
            case "none":
                return Empty()
            case "list":
                return ListNode(self._children(message.list.children, depth))
            case "tuple":
                return TupleNode(self._children(message.tuple.children, depth))
            case "dict":
                return self._dict(message.dict, depth)
            case "named_tuple":
                return self._named_tuple(message.named_tuple, depth)
            case _:
                raise MalformedProgramError(
                    "a node of a tree is empty; it must be a leaf, None or a container"
                )

    def _children(self, messages: Iterable[tree_pb2.Tree], depth: int) -> tuple[Tree, ...]:
        return tuple(self.read(message, depth + 1) for message in messages)

    def _dict(self, message: tree_pb2.Tree.Mapping, depth: int) -> DictNode:
        keys = _names(message.keys)
        if list(keys) != sorted(set(keys)):
            raise MalformedProgramError(f"the keys of a dict must be sorted, each once: {_some(keys)}")
        return DictNode(keys, _paired(keys, self._children(message.children, depth)))

    def _named_tuple(self, message: tree_pb2.Tree.NamedTuple, depth: int) -> NamedTupleNode:
        fields = _names(message.fields)
        if not all(map(_names_attribute, (message.type_name, *fields))) or len(set(fields)) < len(fields):
            raise MalformedProgramError(
                f"the named tuple {message.type_name[:100]!r} has unusable fields: {_some(fields)}"
            )
        return NamedTupleNode(
            message.type_name, fields, _paired(fields, self._children(message.children, depth))
        )


def _names(given: Sequence[str]) -> tuple[str, ...]:
    _check_count(len(given), "names in a tree")
    return tuple(given)


def _some(names: tuple[str, ...]) -> str:
    text = ", ".join(map(repr, names))
    return text if len(text) <= _LONGEST_NAMES else f"{text[:_LONGEST_NAMES]} ..."


def _check_count(count: int, what: str) -> None:
    if count > MOST_PARTS:
        raise MalformedProgramError(f"the program has more than {MOST_PARTS} {what}; join some of them")


def _names_attribute(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)


def _paired(names: tuple[str, ...], children: tuple[Tree, ...]) -> tuple[Tree, ...]:
    if len(names) != len(children):
        raise MalformedProgramError(f"a container has {len(names)} names and {len(children)} children")
    return children


def signature_to_wire(signature: Signature) -> program_pb2.Signature:
    """The message of a signature."""
    arguments = [
        program_pb2.Argument(
            name=argument.name,
            tree=tree_to_wire(argument.tree),
            leaves=map(tensor_type_to_wire, argument.leaves),
        )
        for argument in signature.arguments
    ]
    if signature.result is None:
        return program_pb2.Signature(arguments=arguments)
    return program_pb2.Signature(
        arguments=arguments,
        result=tree_to_wire(signature.result.tree),
        result_leaves=map(tensor_type_to_wire, signature.result.leaves),
    )


def signature_from_wire(message: program_pb2.Signature) -> Signature:
    """The signature of a message.

    Raises:
        MalformedProgramError: If a part of it is malformed, or it has more than 131072 arguments, tensors
            or nodes of trees.
    """
    _check_count(len(message.arguments), "arguments")
    _check_count(len(message.result_leaves) + sum(len(part.leaves) for part in message.arguments), "tensors")
    trees = _Trees()
    arguments = tuple(
        Argument(part.name, trees.read(part.tree), tuple(map(tensor_type_from_wire, part.leaves)))
        for part in message.arguments
    )
    if not message.HasField("result"):
        return Signature(arguments)
    leaves = tuple(map(tensor_type_from_wire, message.result_leaves))
    return Signature(arguments, Result(trees.read(message.result), leaves))


def producer_to_wire(producer: Producer) -> program_pb2.Producer:
    """The message of a producer."""
    return program_pb2.Producer(
        name=producer.name, version=producer.version, dependencies=producer.dependencies
    )


def program_to_wire(program: Program) -> program_pb2.Program:
    """The message of a program."""
    message = program_pb2.Program(
        format_version=FORMAT_VERSION,
        signature=signature_to_wire(program.signature),
        producer=producer_to_wire(program.producer),
        max_trips=program.max_trips or 0,
    )
    match program.body:
        case StableHlo() as body:
            message.stable_hlo.CopyFrom(_stable_hlo_to_wire(body))
        case Formula(source=source):
            message.formula.CopyFrom(program_pb2.Formula(source=source))
        case StableHloModule(module=module, names=names):
            message.stable_hlo_module.CopyFrom(
                program_pb2.StableHloModule(module=module, argument_names=names)
            )
        case JaxExport(artifact=artifact, names=names):
            message.jax_export.CopyFrom(program_pb2.JaxExport(artifact=artifact, argument_names=names))
        case Onnx(model=model):
            message.onnx.CopyFrom(program_pb2.Onnx(model=model))
        case _:
            assert_never(program.body)
    return message


def program_from_wire(message: program_pb2.Program) -> Program:
    """The program of a message.

    Raises:
        MalformedProgramError: If its container version is unknown or a part of it is malformed.
    """
    if message.format_version != FORMAT_VERSION:
        raise MalformedProgramError(
            f"the program has container version {message.format_version}; this version reads {FORMAT_VERSION}"
        )
    producer = Producer(message.producer.name, message.producer.version, dict(message.producer.dependencies))
    return Program(
        _body(message),
        signature_from_wire(message.signature),
        producer,
        max_trips=message.max_trips or None,
    )


def _body(message: program_pb2.Program) -> Body:
    match message.WhichOneof("body"):
        case "stable_hlo":
            return _stable_hlo_from_wire(message.stable_hlo)
        case "formula":
            return Formula(message.formula.source)
        case "stable_hlo_module":
            module = message.stable_hlo_module
            return StableHloModule(module.module, tuple(module.argument_names))
        case "jax_export":
            return JaxExport(message.jax_export.artifact, tuple(message.jax_export.argument_names))
        case "onnx":
            return Onnx(message.onnx.model)
        case _:
            raise MalformedProgramError("the program has no body in a format that this version reads")


def _stable_hlo_to_wire(body: StableHlo) -> program_pb2.StableHlo:
    constants = [
        program_pb2.Constant(type=tensor_type_to_wire(constant.type), digest=constant.digest)
        for constant in body.constants
    ]
    return program_pb2.StableHlo(entry=body.entry, modules=body.modules, constants=constants)


def _stable_hlo_from_wire(message: program_pb2.StableHlo) -> StableHlo:
    _check_count(len(message.constants), "constants")
    _check_count(len(message.modules), "modules")
    constants = tuple(map(_constant_from_wire, message.constants))
    return StableHlo(message.entry, tuple(message.modules), constants)


def _constant_from_wire(message: program_pb2.Constant) -> Constant:
    if _DIGEST.fullmatch(message.digest) is None:
        raise MalformedProgramError(f"{message.digest[:100]!r} is no digest of 64 hexadecimal digits")
    return Constant(tensor_type_from_wire(message.type), message.digest)


def program_to_bytes(program: Program) -> bytes:
    """The serialized message of a program."""
    return program_to_wire(program).SerializeToString()


def program_from_bytes(data: bytes) -> Program:
    """The program of a serialized message.

    Raises:
        MalformedProgramError: If the bytes are no such message.
        TreeTooDeepError: If a tree in it is deeper than 32.
    """
    message = program_pb2.Program()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        if _TOO_DEEP in str(error):
            raise TreeTooDeepError(_DEEPEST_TREE) from error
        raise MalformedProgramError(f"{len(data)} bytes are no serialized Program: {error}") from error
    return program_from_wire(message)
