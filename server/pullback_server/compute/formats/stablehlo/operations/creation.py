"""Arrays out of nothing: constants, counters, random bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import numpy as np
from jax import lax
from jax.custom_batching import sequential_vmap

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation, Splat

# Elements of a constant that may stand in the program as they are: sizes and paddings have to be known.
_SMALL: Final = 16
_STATE_BYTES: Final = 16
_ALGORITHMS: Final = {
    "DEFAULT": lax.RandomAlgorithm.RNG_DEFAULT,
    "THREE_FRY": lax.RandomAlgorithm.RNG_THREE_FRY,
    "PHILOX": lax.RandomAlgorithm.RNG_PHILOX,
}


def build_constant(operation: Operation, _: Scope) -> Emit:
    """The builder of constants."""
    value, (result,) = operation.attributes["value"], operation.result_types
    if not isinstance(value, Splat):
        return lambda _: [value]
    if not result.shape:
        scalar = value.element.reshape(())
        return lambda _: [scalar]
    if result.size <= _SMALL:
        small: Any = np.full(result.shape, value.element)
        return lambda _: [small]
    # Broadcast where it is used: a few bytes of program may say a large array.
    return lambda _: [lax.full(result.shape, value.element, result.element.dtype)]


def _iota(operation: Operation, _: Scope) -> Emit:
    (result,) = operation.result_types
    axis = operation.attributes["iota_dimension"]
    return lambda _: [lax.broadcasted_iota(result.element.dtype, result.shape, axis)]


def _random_bits(operation: Operation, _: Scope) -> Emit:
    """The new state, and bits in any type of their width."""
    state, bits = operation.result_types
    if state.nbytes != _STATE_BYTES:
        raise unsupported(
            operation.name,
            f"with a state of type {state} is not served",
            "use a state of type ui64[2], as JAX's keys have",
        )
    algorithm = _ALGORITHMS[operation.attributes["rng_algorithm"]]
    target = bits.element.dtype
    unsigned = np.dtype(f"uint{8 * target.itemsize}")

    def generate(key: jax.Array) -> Arrays:
        pair: Arrays = lax.rng_bit_generator(key, bits.shape, unsigned, algorithm)  # type: ignore[no-untyped-call]
        return pair

    # JAX would draw a whole batch from the first of its keys.
    draw: Callable[[jax.Array], Arrays] = sequential_vmap(generate)  # type: ignore[no-untyped-call]

    def emit(operands: Arrays) -> Arrays:
        new_state, drawn = draw(operands[0])
        return [new_state, lax.bitcast_convert_type(drawn, target) if target != unsigned else drawn]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    "arith.constant": build_constant,
    "stablehlo.constant": build_constant,
    "stablehlo.iota": _iota,
    "stablehlo.rng_bit_generator": _random_bits,
}
