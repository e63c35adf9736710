"""Attributes of MLIR as plain data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import chlo, stablehlo


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
    if isinstance(value, ir.Type):
        return str(value).lower()
    return value if isinstance(value, int) else tuple(value)


def _value(attribute: Any) -> Any:
    return attribute.value


_CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("IntegerAttr", "BoolAttr", "FloatAttr", "FlatSymbolRefAttr"), _value),
    # Some configurations of custom calls are bytes and no text.
    "StringAttr": lambda attribute: attribute.value_bytes.decode(errors="backslashreplace"),
    **dict.fromkeys(("DenseI64ArrayAttr", "DenseI32ArrayAttr", "DenseBoolArrayAttr"), tuple),
    **dict.fromkeys(("DenseIntElementsAttr", "DenseFPElementsAttr"), np.array),
    "ArrayAttr": lambda attribute: tuple(map(plain, attribute)),
    "DictAttr": lambda attribute: {named.name: plain(named.attr) for named in attribute},
    "UnitAttr": lambda _: True,
}
# `#stablehlo<comparison_direction LT>`
_CHOICE: Final = re.compile(r"#(?:stablehlo|chlo)<\w+ (?P<word>\w+)>")
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
    "#stablehlo.dot_algorithm<": (
        stablehlo.DotAlgorithm,
        (
            "lhs_precision_type",
            "rhs_precision_type",
            "accumulation_type",
            "num_primitive_operations",
        ),
    ),
    "#chlo.ragged_dot<": (
        chlo.RaggedDotDimensionNumbers,
        (
            "lhs_batching_dimensions",
            "rhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "rhs_contracting_dimensions",
            "lhs_ragged_dimensions",
            "rhs_group_dimensions",
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
