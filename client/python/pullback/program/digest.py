"""The name of a program by its content (docs/program.md).

The digest is SHA-256 over a canonical form: protobuf bytes have none, since writers may order fields
as they like. In the canonical form every value is a tag of one byte, its length as 8 little-endian
bytes, and its content; a sequence's content is that of its items, one after the other.
"""

from __future__ import annotations

import hashlib
from typing import assert_never

from pullback.program.container import (
    FORMAT_VERSION,
    Constant,
    Formula,
    JaxExport,
    Onnx,
    Program,
    StableHlo,
    StableHloModule,
)
from pullback.program.signature import Argument, Result
from pullback.program.tensors import TensorType
from pullback.program.trees import (
    CustomNode,
    DictNode,
    Empty,
    Leaf,
    ListNode,
    NamedTupleNode,
    Tree,
    TupleNode,
)

Canonical = bytes | str | int | tuple["Canonical", ...]


def digest(program: Program) -> str:
    """The program's digest: 64 hexadecimal digits.

    Who produced the program is left out, and so is what follows from the rest: the result's type of a
    formula, the signature of a foreign program. Two programs with the same digest are the same function.
    """
    return hashlib.sha256(canonical_bytes(_program(program))).hexdigest()


def canonical_bytes(value: Canonical) -> bytes:
    """The canonical form of nested tuples of bytes, text and integers."""
    match value:
        case bytes():
            tag, content = b"b", value
        case str():
            tag, content = b"s", value.encode()
        case int():
            tag, content = b"i", value.to_bytes(8, "little", signed=True)
        case tuple():
            tag, content = b"t", b"".join(map(canonical_bytes, value))
        case _:
            assert_never(value)
    return tag + len(content).to_bytes(8, "little") + content


def _program(program: Program) -> Canonical:
    arguments: Canonical = tuple(map(_argument, program.signature.arguments))
    body: Canonical
    match program.body:
        case StableHlo() as found:
            body = _stable_hlo(found, program.signature.result)
        case Formula(source=source):
            body = ("formula", source)
        case StableHloModule(module=module, names=names):
            arguments, body = (), ("stablehlo_module", module, names)
        case JaxExport(artifact=artifact, names=names):
            arguments, body = (), ("jax_export", artifact, names)
        case Onnx(model=model):
            arguments, body = (), ("onnx", model)
        case _:
            assert_never(program.body)
    parts: tuple[Canonical, ...] = ("pullback.program", FORMAT_VERSION, arguments, body)
    # Left out where there is none: programs without it are older.
    return parts if program.max_trips is None else (*parts, ("max_trips", program.max_trips))


def _stable_hlo(body: StableHlo, result: Result | None) -> Canonical:
    parts: tuple[Canonical, ...] = ("stablehlo", body.entry, body.modules, _result(result) if result else ())
    # Left out where there are none: programs without them are older than constants.
    constants: tuple[Canonical, ...] = tuple(map(_constant, body.constants))
    return (*parts, ("constants", constants)) if constants else parts


def _constant(constant: Constant) -> Canonical:
    return (_tensor_type(constant.type), constant.digest)


def _argument(argument: Argument) -> Canonical:
    return (argument.name, _tree(argument.tree), tuple(map(_tensor_type, argument.leaves)))


def _result(result: Result) -> Canonical:
    return (_tree(result.tree), tuple(map(_tensor_type, result.leaves)))


def _tensor_type(tensor_type: TensorType) -> Canonical:
    if not tensor_type.symbols:
        return (tensor_type.element.value, tensor_type.shape)
    return (tensor_type.element.value, tensor_type.shape, tensor_type.symbols)


def _tree(tree: Tree) -> Canonical:
    match tree:
        case Leaf():
            return ("leaf",)
        case Empty():
            return ("none",)
        case ListNode(children=children):
            return ("list", tuple(map(_tree, children)))
        case TupleNode(children=children):
            return ("tuple", tuple(map(_tree, children)))
        case DictNode(keys=keys, children=children) | CustomNode(keys=keys, children=children):
            return ("dict", keys, tuple(map(_tree, children)))
        case NamedTupleNode(type_name=name, fields=fields, children=children):
            return ("named_tuple", name, fields, tuple(map(_tree, children)))
        case _:
            assert_never(tree)
