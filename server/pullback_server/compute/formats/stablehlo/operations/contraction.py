"""Products summed over axes: dot products, convolutions, Fourier transforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.window import pairs
from pullback_server.compute.formats.stablehlo.syntax import Operation

_FOURIER: Final = {
    "FFT": lax.FftType.FFT,
    "IFFT": lax.FftType.IFFT,
    "RFFT": lax.FftType.RFFT,
    "IRFFT": lax.FftType.IRFFT,
}


def _precision(operation: Operation) -> Any:
    stated = operation.attributes.get("precision_config", ())
    if not stated or set(stated) == {"DEFAULT"}:
        return None
    return tuple(lax.Precision[word] for word in stated)


def _dot_general(operation: Operation, _: Scope) -> Emit:
    if "algorithm" in operation.attributes:
        raise unsupported(
            operation.name, "names an algorithm of one kind of device", "leave the algorithm out"
        )
    stated = operation.attributes["dot_dimension_numbers"]
    numbers = (
        (stated["lhs_contracting_dimensions"], stated["rhs_contracting_dimensions"]),
        (stated["lhs_batching_dimensions"], stated["rhs_batching_dimensions"]),
    )
    return _dot(operation, numbers)


def _dot_plain(operation: Operation, _: Scope) -> Emit:
    last = len(operation.operand_types[0].shape) - 1
    return _dot(operation, (((last,), (0,)), ((), ())))


def _dot(operation: Operation, numbers: Any) -> Emit:
    precision = _precision(operation)
    dtype = operation.result_types[0].element.dtype
    return lambda operands: [
        lax.dot_general(operands[0], operands[1], numbers, precision=precision, preferred_element_type=dtype)
    ]


def _convolution(operation: Operation, _: Scope) -> Emit:
    attributes = operation.attributes
    stated = attributes["dimension_numbers"]
    axes = len(stated["input_spatial_dimensions"])
    ones = (1,) * axes
    if any(attributes.get("window_reversal", ())):
        raise unsupported(operation.name, "with window_reversal is not served", "reverse the kernel itself")
    numbers = lax.ConvDimensionNumbers(
        _layout(stated, "input_batch_dimension", "input_feature_dimension", "input_spatial_dimensions"),
        _layout(
            stated,
            "kernel_output_feature_dimension",
            "kernel_input_feature_dimension",
            "kernel_spatial_dimensions",
        ),
        _layout(stated, "output_batch_dimension", "output_feature_dimension", "output_spatial_dimensions"),
    )
    precision = _precision(operation)
    return lambda operands: [
        lax.conv_general_dilated(
            operands[0],
            operands[1],
            window_strides=attributes.get("window_strides", ones),
            padding=pairs(attributes.get("padding"), axes),
            lhs_dilation=attributes.get("lhs_dilation", ones),
            rhs_dilation=attributes.get("rhs_dilation", ones),
            dimension_numbers=numbers,
            feature_group_count=attributes["feature_group_count"],
            batch_group_count=attributes["batch_group_count"],
            precision=precision,
            preferred_element_type=operation.result_types[0].element.dtype,
        )
    ]


def _layout(stated: Mapping[str, Any], first: str, second: str, spatial: str) -> tuple[int, ...]:
    return (stated[first], stated[second], *stated[spatial])


def _fft(operation: Operation, _: Scope) -> Emit:
    kind, lengths = _FOURIER[operation.attributes["fft_type"]], operation.attributes["fft_length"]
    return lambda operands: [lax.fft(operands[0], kind, lengths)]


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.dot_general": _dot_general,
    "stablehlo.dot": _dot_plain,
    "stablehlo.convolution": _convolution,
    "stablehlo.fft": _fft,
}
