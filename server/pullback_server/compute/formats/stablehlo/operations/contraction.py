"""Products summed over axes: dot products, convolutions, Fourier transforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback.program.elements import parse_element
from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.elementwise import NARROW
from pullback_server.compute.formats.stablehlo.operations.reductions.windows import pairs
from pullback_server.compute.formats.stablehlo.syntax import Operation

_TF32: Final = "tf32"
_TF32_BITS: Final = (8, 10)
_FOURIER: Final = {
    "FFT": lax.FftType.FFT,
    "IFFT": lax.FftType.IFFT,
    "RFFT": lax.FftType.RFFT,
    "IRFFT": lax.FftType.IRFFT,
}


def precision_of(operation: Operation) -> Any:
    """The precision that an operation states for its two operands; None where it states none."""
    stated = operation.attributes.get("precision_config", ())
    if not stated or set(stated) == {"DEFAULT"}:
        return None
    return tuple(lax.Precision[word] for word in stated)


def _dot_general(operation: Operation, _: Scope) -> Emit:
    stated = operation.attributes["dot_dimension_numbers"]
    numbers = (
        (stated["lhs_contracting_dimensions"], stated["rhs_contracting_dimensions"]),
        (stated["lhs_batching_dimensions"], stated["rhs_batching_dimensions"]),
    )
    if "algorithm" in operation.attributes:
        return _by_algorithm(operation, numbers)
    return _dot(operation, numbers)


def _dot_plain(operation: Operation, _: Scope) -> Emit:
    last = len(operation.operand_types[0].shape) - 1
    return _dot(operation, (((last,), (0,)), ((), ())))


def _dot(operation: Operation, numbers: Any) -> Emit:
    precision = precision_of(operation)
    dtype = operation.result_types[0].element.dtype

    def emit(operands: Arrays) -> Arrays:
        left, right = in_one_type(operands, dtype)
        return [
            lax.dot_general(left, right, numbers, precision=precision, preferred_element_type=dtype),
        ]

    return emit


def _by_algorithm(operation: Operation, numbers: Any) -> Emit:
    """A product by an algorithm of some device: the types that it names, computed as any device can."""
    algorithm = operation.attributes["algorithm"]
    accumulation = parse_element(algorithm["accumulation_type"]).dtype
    # Several products of parts together are as exact as the type that they are summed in.
    exact = algorithm["num_primitive_operations"] > 1
    kinds = [None if exact else algorithm[f"{side}_precision_type"] for side in ("lhs", "rhs")]
    (result,) = operation.result_types

    def emit(operands: Arrays) -> Arrays:
        left, right = (
            _rounded(operand, kind, accumulation) for operand, kind in zip(operands, kinds, strict=True)
        )
        product = lax.dot_general(
            left, right, numbers, precision=lax.Precision.HIGHEST, preferred_element_type=accumulation
        )
        return [lax.convert_element_type(product, result.element.dtype)]

    return emit


def _rounded(operand: jax.Array, kind: str | None, accumulation: Any) -> jax.Array:
    """An operand as an algorithm sees it, in the type that it accumulates in."""
    wide = lax.convert_element_type(operand, accumulation)
    if kind is None:
        return wide
    if kind == _TF32:
        return lax.reduce_precision(wide, *_TF32_BITS)
    return lax.convert_element_type(
        lax.convert_element_type(operand, parse_element(kind).dtype), accumulation
    )


def in_one_type(operands: Arrays, result: Any) -> list[jax.Array]:
    """Two factors in one element type: that of the result where theirs differ, or have few bits."""
    left, right = operands
    if left.dtype == right.dtype and left.dtype not in NARROW:
        return [left, right]
    return [lax.convert_element_type(operand, result) for operand in operands]


def _convolution(operation: Operation, _: Scope) -> Emit:
    attributes = operation.attributes
    stated = attributes["dimension_numbers"]
    axes = len(stated["input_spatial_dimensions"])
    ones = (1,) * axes
    reversal = attributes.get("window_reversal", (False,) * axes)
    reversed_axes = tuple(
        axis for axis, flag in zip(stated["kernel_spatial_dimensions"], reversal, strict=True) if flag
    )
    precision = precision_of(operation)
    dtype = operation.result_types[0].element.dtype

    def emit(operands: Arrays) -> Arrays:
        left, right = in_one_type(operands, dtype)
        return [
            lax.conv_general_dilated(
                left,
                lax.rev(right, reversed_axes) if reversed_axes else right,
                window_strides=attributes.get("window_strides", ones),
                padding=pairs(attributes.get("padding"), axes),
                lhs_dilation=attributes.get("lhs_dilation", ones),
                rhs_dilation=attributes.get("rhs_dilation", ones),
                dimension_numbers=_dimension_numbers(stated),
                feature_group_count=attributes["feature_group_count"],
                batch_group_count=attributes["batch_group_count"],
                precision=precision,
                preferred_element_type=dtype,
            )
        ]

    return emit


def _dimension_numbers(stated: Mapping[str, Any]) -> lax.ConvDimensionNumbers:
    return lax.ConvDimensionNumbers(
        _layout(stated, "input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions"),
        _layout(
            stated,
            "kernel_output_feature_dimension",
            "kernel_input_feature_dimension",
            "kernel_spatial_dimensions",
        ),
        _layout(stated, "output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions"),
    )


def _layout(stated: Mapping[str, Any], first: str, second: str, spatial: str) -> tuple[int, ...]:
    return (stated[first], stated[second], *stated[spatial])


def _fft(operation: Operation, _: Scope) -> Emit:
    kind, lengths = _FOURIER[operation.attributes["fft_type"]], operation.attributes["fft_length"]
    return lambda operands: [lax.fft(operands[0], kind, lengths)]


def _einsum(operation: Operation, _: Scope) -> Emit:
    configuration = operation.attributes["einsum_config"]
    precision, dtype = precision_of(operation), operation.result_types[0].element.dtype
    return lambda operands: [
        jnp.einsum(configuration, *operands, precision=precision, preferred_element_type=dtype)
    ]


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.dot_general": _dot_general,
    "stablehlo.dot": _dot_plain,
    "stablehlo.einsum": _einsum,
    "stablehlo.unary_einsum": _einsum,
    "stablehlo.convolution": _convolution,
    "stablehlo.fft": _fft,
}
