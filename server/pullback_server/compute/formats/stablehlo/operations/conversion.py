"""Changes of the element type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _convert(operation: Operation, _: Scope) -> Emit:
    source, target = operation.operand_types[0].element, operation.result_types[0].element

    def emit(operands: Arrays) -> Arrays:
        (operand,) = operands
        # StableHLO drops the imaginary part; JAX would warn.
        real = lax.real(operand) if source.is_complex and not target.is_complex else operand
        return [lax.convert_element_type(real, target.dtype)]

    return emit


def _bitcast(operation: Operation, _: Scope) -> Emit:
    target = operation.result_types[0].element.dtype
    return lambda operands: [lax.bitcast_convert_type(operands[0], target)]


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.convert": _convert,
    "stablehlo.bitcast_convert": _bitcast,
}
