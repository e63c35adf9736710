"""A module's functions as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import chlo, sdy, stablehlo
from jaxlib.mlir._mlir_libs import _jax_mlir_ext

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.bounds import BOUNDS, too_deep
from pullback_server.compute.formats.stablehlo.coverage import QUANTIZED_ADVICE
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.limits import LARGEST_VALUE_BYTES
from pullback_server.compute.formats.stablehlo.reading.attributes import plain
from pullback_server.compute.formats.stablehlo.reading.constants import parse_dense, parse_resource
from pullback_server.compute.formats.stablehlo.reading.nesting import (
    require_bounded,
    require_shallow_text,
)
from pullback_server.compute.formats.stablehlo.reading.refinement import refined
from pullback_server.compute.formats.stablehlo.reading.tuples import STRUCTURE, parts, restructured
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation, Splat, Types
from pullback_server.errors import Reason, ServiceError, exceeded

_PORTABLE: Final = b"ML\xefR"
_VERSION: Final = re.compile(rb"ML\xefR.?StableHLO_v(\d{1,6}\.\d{1,6}\.\d{1,6})", re.DOTALL)
_VERSIONED: Final = "vhlo."
_QUANTIZED: Final = '!"quant"<'
_DIALECT: Final = re.compile(r"Dialect `(\w+)' not found for custom op '([\w.]+)'")
_UNREGISTERED: Final = "unregistered dialect"
_LEGALIZE: Final = "write the module in StableHLO alone, with the tool that made it"
_FLATTEN: Final = "flatten the function"
_CONSTANTS: Final = frozenset({"stablehlo.constant", "chlo.constant", "arith.constant"})
_RESOURCE: Final = "dense_resource<"
_RETURNS: Final = frozenset({"func.return", "stablehlo.return", "sdy.return"})
_ELEMENTS: Final = {
    **{element.value: element for element in ElementType},
    "complex<f32>": ElementType.C64,
    "complex<f64>": ElementType.C128,
}
# Elements that MLIR's bindings cannot give as numpy arrays.
_TEXTUAL: Final = frozenset(
    element
    for element in ElementType
    if element.is_complex
    or element.value.startswith(("f4", "f8", "bf"))
    or element.value.endswith(("i2", "i4"))
)


class Module:
    """A parsed module, whose functions are read when they are asked for.

    Args:
        data: A portable artifact, MLIR bytecode or MLIR text.

    Raises:
        ServiceError: MALFORMED_PROGRAM if MLIR cannot read it.
    """

    def __init__(self, data: bytes) -> None:
        self._module = refined(parse_module(data))
        self._functions: dict[str, Any] = {
            operation.attributes["sym_name"].value: operation
            for operation in self._module.body.operations
            if operation.operation.name == "func.func"
        }

    def function(self, name: str) -> Block:
        """The body of a function.

        Raises:
            ServiceError: MALFORMED_PROGRAM if there is none of this name; UNSUPPORTED_OPERATION if a
                type in it is not served.
        """
        if name not in self._functions:
            raise malformed(f"@{name}", "is called, and the module has no such function")
        (region,) = self._functions[name].regions
        return _Reader().block(region)


def parse_module(data: bytes) -> Any:
    """A module as MLIR has it, in a context of its own.

    Raises:
        ServiceError: MALFORMED_PROGRAM if MLIR cannot read it; UNSUPPORTED_OPERATION if it cannot because the
            module was written for a later version of StableHLO; NESTING_TOO_DEEP or TOO_MANY_OPERATIONS.
    """
    try:
        return _module(_context(), data)
    except (ValueError, ir.MLIRError) as error:
        version, own = _VERSION.match(data), stablehlo.get_current_version()
        if version is not None and _numbers(version[1].decode()) > _numbers(own):
            raise unsupported(
                "a module",
                f"was written for StableHLO {version[1].decode()}, and this server's JAX reads {own}",
                "write it for an older version, or serve it with a newer JAX",
            ) from error
        raise _foreign_dialect(str(error)) or malformed("a module", f"cannot be read: {error}") from error


def _foreign_dialect(error: str) -> ServiceError | None:
    """What to say of operations and types that are none of StableHLO's, if MLIR's error is about them."""
    if _QUANTIZED in error:
        return unsupported("a module", "has values of a quantized type", QUANTIZED_ADVICE)
    dialect = _DIALECT.search(error)
    if dialect is not None:
        return unsupported(dialect[2], f"is of the dialect {dialect[1]}, not of StableHLO", _LEGALIZE)
    if _UNREGISTERED in error:
        return unsupported("a module", f"has what is not of StableHLO: {error.splitlines()[1]}", _LEGALIZE)
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _module(context: Any, data: bytes) -> Any:
    if not data.startswith(_PORTABLE):
        require_shallow_text(data)
    with context:
        module = ir.Module.parse(data)
    require_bounded(module)
    if data.startswith(_PORTABLE) and b"StableHLO_v" in data[:32]:
        return stablehlo.deserialize_portable_artifact(context, data)
    if any(operation.operation.name.startswith(_VERSIONED) for operation in module.body.operations):
        # Portable, too, from before artifacts told the version of StableHLO.
        return stablehlo.deserialize_portable_artifact(context, data)
    return module


def _context() -> Any:
    context = ir.Context()
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    chlo.register_dialect(context)
    stablehlo.register_dialect(context)
    # Placements, which JAX leaves in programs that were partitioned.
    sdy.register_dialect(context)
    return context


class _Reader:
    """Numbers the values of one function, and reads its operations."""

    def __init__(self) -> None:
        self._numbers: dict[Any, tuple[int, ...]] = {}
        self._count = 0
        self._depth = 0

    def block(self, region: Any) -> Block:
        blocks = list(region.blocks)
        if len(blocks) != 1:
            raise malformed("a region", f"has {len(blocks)} blocks where StableHLO has one")
        self._depth += 1
        if self._depth > BOUNDS.nesting:
            raise too_deep("regions are nested too deep", _FLATTEN)
        arguments = tuple(blocks[0].arguments)
        numbers = self._all_numbers(arguments)
        *inner, last = list(blocks[0].operations)
        if last.operation.name not in _RETURNS:
            raise malformed(last.operation.name, "ends a region, where a return belongs")
        operations = tuple(self._operations(inner))
        returns = self._all_numbers(last.operands)
        self._depth -= 1
        return Block(
            arguments=numbers,
            argument_types=_types(arguments, "an argument"),
            operations=operations,
            returns=returns,
            return_types=_types(last.operands, "a result"),
            captures=_captures(numbers, operations, returns),
        )

    def _all_numbers(self, values: Any) -> tuple[int, ...]:
        return tuple(number for value in values for number in self._number(value))

    def _number(self, value: Any) -> tuple[int, ...]:
        """The numbers of a value's parts: one, unless it is a tuple or a token."""
        if value not in self._numbers:
            count = sum(1 for _ in parts(value.type))
            self._numbers[value] = tuple(range(self._count, self._count + count))
            self._count += count
        return self._numbers[value]

    def _operations(self, views: Any) -> Iterator[Operation]:
        for view in views:
            operation = view.operation
            if operation.name in STRUCTURE:
                operands = [self._number(operand) for operand in operation.operands]
                self._numbers[operation.results[0]] = restructured(operation, operands)
            else:
                yield self._operation(operation)

    def _operation(self, operation: Any) -> Operation:
        name = operation.name
        return Operation(
            name=name,
            operands=self._all_numbers(operation.operands),
            operand_types=_types(operation.operands, name),
            results=self._all_numbers(operation.results),
            result_types=_types(operation.results, name),
            attributes=_attributes(operation),
            blocks=tuple(map(self.block, operation.regions)),
        )


def _captures(
    arguments: tuple[int, ...], operations: tuple[Operation, ...], returns: tuple[int, ...]
) -> tuple[int, ...]:
    defined, captured = set(arguments), dict[int, None]()
    for operation in operations:
        captured.update(
            dict.fromkeys(n for n in (*operation.operands, *operation.captures) if n not in defined)
        )
        defined.update(operation.results)
    captured.update(dict.fromkeys(number for number in returns if number not in defined))
    return tuple(captured)


def _types(values: Any, where: str) -> Types:
    return tuple(tensor_type_of(part, where) for value in values for part in parts(value.type))


def tensor_type_of(mlir_type: Any, where: str) -> TensorType:
    """The tensor type of an MLIR type.

    Args:
        mlir_type: The type.
        where: The name of the operation, for the message.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if it is no tensor of static shape of a served element type.
    """
    if not isinstance(mlir_type, ir.RankedTensorType):
        raise unsupported(where, f"has a value of type {mlir_type}", "only tensors are served")
    if not mlir_type.has_static_shape:
        raise unsupported(
            where, f"has a value of the dynamic shape {mlir_type}", "export it with sizes in place of symbols"
        )
    spelling = str(mlir_type.element_type).lower()
    if spelling.startswith("!quant"):
        raise unsupported(where, f"has a value of type {mlir_type}", QUANTIZED_ADVICE)
    element = _ELEMENTS.get(spelling)
    if element is None:
        raise unsupported(
            where, f"has a value of type {mlir_type}", f"the element types are {', '.join(ElementType)}"
        )
    return _of_possible_size(TensorType(element, tuple(mlir_type.shape)), where)


def _of_possible_size(tensor_type: TensorType, where: str) -> TensorType:
    if tensor_type.nbytes > LARGEST_VALUE_BYTES:
        raise exceeded(
            Reason.DEVICE_MEMORY_EXCEEDED,
            f"{where} has a value {tensor_type} of {tensor_type.nbytes} bytes",
            value=tensor_type.nbytes,
            limit=LARGEST_VALUE_BYTES,
            setting="",
            advice="compute it in parts",
        )
    return tensor_type


def _attributes(operation: Any) -> Mapping[str, Any]:
    if operation.name in _CONSTANTS:
        return {"value": _constant(operation)}
    return {name: plain(operation.attributes[name]) for name in operation.attributes.keys()}  # noqa: SIM118 -- the map iterates over pairs


def _constant(operation: Any) -> np.ndarray[Any, Any] | Splat:
    tensor_type = tensor_type_of(operation.results[0].type, operation.name)
    if tensor_type.element in _TEXTUAL:
        text = operation.get_asm()
        return _resource(operation, tensor_type) if _RESOURCE in text else parse_dense(text, tensor_type)
    value = operation.attributes["value"]
    if getattr(value, "is_splat", False):
        return Splat(np.array(value.get_splat_value().value, tensor_type.element.dtype)[()])
    if not isinstance(value, ir.DenseElementsAttr):
        return _resource(operation, tensor_type)
    return np.array(value).astype(tensor_type.element.dtype, copy=False).reshape(tensor_type.shape)


def _resource(operation: Any, tensor_type: TensorType) -> np.ndarray[Any, Any] | Splat:
    """A constant whose elements stand at the end of the module."""
    module = operation
    while module.parent is not None:
        module = module.parent
    return parse_resource(operation.get_asm(), str(module), tensor_type)
