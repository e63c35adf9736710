"""Arrays out of nothing: constants, counters, random bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation, Splat

_ALGORITHMS: Final = {
    "DEFAULT": lax.RandomAlgorithm.RNG_DEFAULT,
    "THREE_FRY": lax.RandomAlgorithm.RNG_THREE_FRY,
    "PHILOX": lax.RandomAlgorithm.RNG_PHILOX,
}


def _constant(operation: Operation, _: Scope) -> Emit:
    value, (tensor_type,) = operation.attributes["value"], operation.result_types
    if not isinstance(value, Splat):
        return lambda _: [value]
    if not tensor_type.shape:
        scalar = value.element.reshape(())
        return lambda _: [scalar]
    # Broadcast where it is used: a few bytes of program may say a large array.
    return lambda _: [lax.full(tensor_type.shape, value.element, tensor_type.element.dtype)]


def _iota(operation: Operation, _: Scope) -> Emit:
    (tensor_type,) = operation.result_types
    axis = operation.attributes["iota_dimension"]
    return lambda _: [lax.broadcasted_iota(tensor_type.element.dtype, tensor_type.shape, axis)]


def _random_bits(operation: Operation, _: Scope) -> Emit:
    _, bits = operation.result_types
    algorithm = _ALGORITHMS[operation.attributes["rng_algorithm"]]
    return lambda operands: lax.rng_bit_generator(operands[0], bits.shape, bits.element.dtype, algorithm)


def _random(operation: Operation, _: Scope) -> Emit:
    raise unsupported(
        operation.name,
        "draws numbers from hidden state, and served functions give the same result each time",
        "pass a key and use stablehlo.rng_bit_generator",
    )


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.constant": _constant,
    "stablehlo.iota": _iota,
    "stablehlo.rng_bit_generator": _random_bits,
    "stablehlo.rng": _random,
}
