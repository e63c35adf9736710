"""Modules at chosen sizes and for one platform.

A module whose arguments have open sizes gets another main function: it takes arguments of the chosen sizes
and calls the one that was there; refinement carries the sizes on. A module for several platforms chooses
among them by its first argument, and only the chosen branches are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from jax.errors import JaxRuntimeError
from jax.extend import mlir
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import func, stablehlo

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.reading.module import parse_module, tensor_type_of

_MAIN: Final = "main"
_OPEN_MAIN: Final = "pullback_open_main"

Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class OpenType:
    """The type of a value whose sizes may be open.

    Attributes:
        element: The type of every element.
        shape: The size of each axis; None where it is open.
    """

    element: ElementType
    shape: Sizes


def main_types(data: bytes) -> tuple[tuple[OpenType, ...], tuple[OpenType, ...]]:
    """The types of the arguments and of the results of a module's main function.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the module cannot be read or has no main function;
            UNSUPPORTED_OPERATION if a type is not served.
    """
    kind = _main(parse_module(data)).type
    return tuple(map(_open_type, kind.inputs)), tuple(map(_open_type, kind.results))


def specialize(
    data: bytes,
    types: Sequence[TensorType],
    platform: int | None = None,
    numbers: Mapping[int, int] | None = None,
) -> bytes:
    """A module at chosen sizes and for one platform.

    Args:
        data: The module.
        types: The types that its arguments shall have, without the platform's number.
        platform: For a module whose first argument is the number of a platform: the number.
        numbers: For arguments that are integers: numbers to put in their place, whatever is given for them.

    Returns:
        The module in MLIR bytecode, all of whose shapes are known.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the module does not take the types, or if its shapes do not follow
            from them.
    """
    module = parse_module(data)
    with module.context, ir.Location.unknown():
        _put_main(module, types, platform, numbers or {})
        refined = ir.Module.parse(_refined(module))
        _choose(refined.operation)
        return _bytecode(refined)


def _main(module: Any) -> Any:
    for operation in module.body.operations:
        if operation.operation.name == "func.func" and operation.name.value == _MAIN:
            if operation.is_external:
                break
            return operation
    raise malformed("the module", f"has no function @{_MAIN} with a body")


def _open_type(kind: Any) -> OpenType:
    if not isinstance(kind, ir.RankedTensorType) or kind.has_static_shape:
        found = tensor_type_of(kind, f"@{_MAIN}")
        return OpenType(found.element, found.shape)
    shape = tuple(None if kind.is_dynamic_dim(axis) else kind.get_dim_size(axis) for axis in range(kind.rank))
    with kind.context, ir.Location.unknown():
        scalar = tensor_type_of(ir.RankedTensorType.get((), kind.element_type), f"@{_MAIN}")
    return OpenType(scalar.element, shape)


def _put_main(
    module: Any, types: Sequence[TensorType], platform: int | None, numbers: Mapping[int, int]
) -> None:
    before = _main(module)
    inputs, results = list(before.type.inputs), list(before.type.results)
    own = inputs if platform is None else inputs[1:]
    if len(own) != len(types):
        raise malformed(f"@{_MAIN}", f"takes {len(own)} arguments, and {len(types)} are stated")
    before.attributes["sym_visibility"] = ir.StringAttr.get("private")
    ir.SymbolTable(module.operation).set_symbol_name(before, _OPEN_MAIN)
    start = ir.InsertionPoint.at_block_begin(module.body)
    chosen = [_with_shape(kind, wanted) for kind, wanted in zip(own, types, strict=True)]
    # The stubs do not know what the dialect adds to the operation.
    main: Any = func.FuncOp(_MAIN, ir.FunctionType.get(chosen, results), ip=start)
    main.attributes["sym_visibility"] = ir.StringAttr.get("public")
    with ir.InsertionPoint(main.add_entry_block()):
        given = [_converted(value, kind) for value, kind in zip(main.arguments, own, strict=True)]
        for argument, number in numbers.items():
            given[argument] = _number(number, own[argument])
        if platform is not None:
            given.insert(0, _number(platform, inputs[0]))
        call = func.CallOp(results, ir.FlatSymbolRefAttr.get(_OPEN_MAIN), given)
        func.ReturnOp(list(call.results))


def _with_shape(kind: Any, wanted: TensorType) -> Any:
    return ir.RankedTensorType.get(wanted.shape, kind.element_type)


def _converted(value: Any, kind: Any) -> Any:
    return value if value.type == kind else stablehlo.convert(kind, value)


def _number(value: int, kind: Any) -> Any:
    constant = ir.DenseElementsAttr.get(np.asarray(value, np.int32).data)
    return _converted(stablehlo.constant(constant), kind)


def _refined(module: Any) -> bytes:
    try:
        module.operation.verify()
        refined = mlir.refine_polymorphic_shapes(
            _bytecode(module), enable_shape_assertions=True, validate_static_shapes=True
        )
    except (JaxRuntimeError, ir.MLIRError, ValueError, RuntimeError) as error:
        raise malformed(
            "the module", f"does not take arguments of these sizes: {_first_lines(error)}"
        ) from error
    return bytes(refined) if isinstance(refined, bytes) else str(refined).encode()


def _first_lines(error: Exception) -> str:
    """What MLIR says, without the operations that it lists after it."""
    lines = [line for line in str(error).splitlines() if "see current operation" not in line]
    return " ".join(lines)[:1000]


def _bytecode(module: Any) -> bytes:
    data = BytesIO()
    module.operation.write_bytecode(data)
    return data.getvalue()


def _choose(operation: Any) -> None:
    """Puts the chosen branch in the place of each branching on a number that is known."""
    for region in operation.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                _choose_here(inner.operation)


def _choose_here(operation: Any) -> None:
    number = _known_number(operation.operands[0]) if operation.name == "stablehlo.case" else None
    if number is None:
        _choose(operation)
        return
    last = len(operation.regions) - 1
    (block,) = operation.regions[number if 0 <= number <= last else last].blocks
    *inner, end = list(block.operations)
    for each in inner:
        each.operation.move_before(operation)
    for result, value in zip(operation.results, list(end.operands), strict=True):
        result.replace_all_uses_with(value)
    operation.erase()
    for each in inner:
        _choose_here(each.operation)


def _known_number(value: Any) -> int | None:
    owner = value.owner
    if not isinstance(owner, ir.Operation) and not hasattr(owner, "operation"):
        return None
    operation = owner.operation if hasattr(owner, "operation") else owner
    if operation.name == "stablehlo.constant":
        return int(np.array(operation.attributes["value"]).reshape(-1)[0])
    return None
