"""From MLIR to plain data.

The only module of the server that touches MLIR. What it parses was written by strangers, and MLIR can
crash on it: that is why this runs in workers only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import chlo, stablehlo
from jaxlib.mlir._mlir_libs import _jax_mlir_ext

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.constants import parse_dense
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.limits import DEEPEST_NESTING
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation, Splat, Types

_PORTABLE: Final = b"ML\xefR"
_CONSTANT: Final = "stablehlo.constant"
_RETURNS: Final = frozenset({"func.return", "stablehlo.return"})
_ELEMENTS: Final = {
    **{element.value: element for element in ElementType},
    "complex<f32>": ElementType.C64,
    "complex<f64>": ElementType.C128,
}
# Elements that MLIR's bindings cannot give as numpy arrays.
_TEXTUAL: Final = frozenset(
    element
    for element in ElementType
    if element.is_complex or element.value.startswith(("f8", "bf")) or element.value.endswith("i4")
)


class Module:
    """A parsed module, whose functions are read when they are asked for.

    Args:
        data: A portable artifact, MLIR bytecode or MLIR text.

    Raises:
        ServiceError: MALFORMED_PROGRAM if MLIR cannot read it.
    """

    def __init__(self, data: bytes) -> None:
        self._module = _parse(data)
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


def _parse(data: bytes) -> Any:
    context = _context()
    try:
        if data.startswith(_PORTABLE) and b"StableHLO_v" in data[:32]:
            return stablehlo.deserialize_portable_artifact(context, data)
        with context:
            return ir.Module.parse(data)
    except (ValueError, ir.MLIRError) as error:
        raise malformed("a module", f"cannot be read: {error}") from error


def _context() -> Any:
    context = ir.Context()
    registry = ir.DialectRegistry()
    _jax_mlir_ext.register_dialects(registry)
    context.append_dialect_registry(registry)
    context.load_all_available_dialects()
    chlo.register_dialect(context)
    stablehlo.register_dialect(context)
    return context


class _Reader:
    """Numbers the values of one function, and reads its operations."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._depth = 0

    def block(self, region: Any) -> Block:
        blocks = list(region.blocks)
        if len(blocks) != 1:
            raise malformed("a region", f"has {len(blocks)} blocks where StableHLO has one")
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise malformed("a region", f"is nested deeper than {DEEPEST_NESTING}")
        arguments = tuple(blocks[0].arguments)
        numbers = tuple(map(self._number, arguments))
        *inner, last = list(blocks[0].operations)
        if last.operation.name not in _RETURNS:
            raise malformed(last.operation.name, "ends a region, where a return belongs")
        operations = tuple(map(self._operation, inner))
        returns = tuple(map(self._number, last.operands))
        self._depth -= 1
        return Block(
            arguments=numbers,
            argument_types=_types(arguments, "an argument"),
            operations=operations,
            returns=returns,
            return_types=_types(last.operands, "a result"),
            captures=_captures(numbers, operations, returns),
        )

    def _number(self, value: Any) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    def _operation(self, view: Any) -> Operation:
        operation = view.operation
        name = operation.name
        return Operation(
            name=name,
            operands=tuple(map(self._number, operation.operands)),
            operand_types=_types(operation.operands, name),
            results=tuple(map(self._number, operation.results)),
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
    return tuple(tensor_type_of(value.type, where) for value in values)


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
    element = _ELEMENTS.get(str(mlir_type.element_type).lower())
    if element is None:
        raise unsupported(
            where, f"has a value of type {mlir_type}", f"the element types are {', '.join(ElementType)}"
        )
    return TensorType(element, tuple(mlir_type.shape))


def _attributes(operation: Any) -> Mapping[str, Any]:
    if operation.name == _CONSTANT:
        return {"value": _constant(operation)}
    return {name: plain(operation.attributes[name]) for name in operation.attributes.keys()}  # noqa: SIM118 -- the map iterates over pairs


def _constant(operation: Any) -> np.ndarray[Any, Any] | Splat:
    tensor_type = tensor_type_of(operation.results[0].type, _CONSTANT)
    if tensor_type.element in _TEXTUAL:
        return parse_dense(operation.get_asm(), tensor_type)
    value = operation.attributes["value"]
    if getattr(value, "is_splat", False):
        return Splat(np.array(value.get_splat_value().value, tensor_type.element.dtype)[()])
    return np.array(value).astype(tensor_type.element.dtype, copy=False).reshape(tensor_type.shape)


def plain(attribute: Any) -> Any:
    """An attribute as integers, text, flags, tuples, dicts and arrays; its text where it is none of these."""
    convert = _CONVERSIONS.get(type(attribute).__name__)
    return _stablehlo(attribute) if convert is None else convert(attribute)


def _stablehlo(attribute: Any) -> Any:
    text = str(attribute)
    choice = _CHOICE.fullmatch(text)
    if choice is not None:
        return choice["word"]
    for prefix, (cast, fields) in _NUMBERS.items():
        if text.startswith(prefix):
            numbers = cast(attribute)
            return {name: _plain_field(getattr(numbers, name)) for name in fields}
    return text


def _plain_field(value: Any) -> Any:
    return value if isinstance(value, int) else tuple(value)


def _value(attribute: Any) -> Any:
    return attribute.value


_CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("IntegerAttr", "BoolAttr", "FloatAttr", "StringAttr", "FlatSymbolRefAttr"), _value),
    **dict.fromkeys(("DenseI64ArrayAttr", "DenseI32ArrayAttr", "DenseBoolArrayAttr"), tuple),
    "DenseIntElementsAttr": np.array,
    "ArrayAttr": lambda attribute: tuple(map(plain, attribute)),
    "DictAttr": lambda attribute: {named.name: plain(named.attr) for named in attribute},
    "UnitAttr": lambda _: True,
}
# `#stablehlo<comparison_direction LT>`
_CHOICE: Final = re.compile(r"#stablehlo<\w+ (?P<word>\w+)>")
_NUMBERS: Final[Mapping[str, tuple[Callable[[Any], Any], tuple[str, ...]]]] = {
    "#stablehlo.dot<": (
        stablehlo.DotDimensionNumbers,
        (
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
        ),
    ),
    "#stablehlo.gather<": (
        stablehlo.GatherDimensionNumbers,
        (
            "offset_dims",
            "collapsed_slice_dims",
            "operand_batching_dims",
            "start_indices_batching_dims",
            "start_index_map",
            "index_vector_dim",
        ),
    ),
    "#stablehlo.scatter<": (
        stablehlo.ScatterDimensionNumbers,
        (
            "update_window_dims",
            "inserted_window_dims",
            "input_batching_dims",
            "scatter_indices_batching_dims",
            "scattered_dims_to_operand_dims",
            "index_vector_dim",
        ),
    ),
    "#stablehlo.conv<": (
        stablehlo.ConvDimensionNumbers,
        (
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
        ),
    ),
}
