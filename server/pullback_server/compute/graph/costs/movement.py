"""Operations that compute nothing on numbers of floating point: they move, choose, and count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jax.extend import core

from pullback.graphs.data import Cost

_FREE: Final = (
    *("broadcast_in_dim", "reshape", "transpose", "squeeze", "expand_dims", "copy", "copy_p", "concatenate"),
    *("pad", "slice", "dynamic_slice", "dynamic_update_slice", "gather", "scatter", "rev", "split", "stack"),
    *("unstack", "tile", "select_n", "iota", "convert_element_type", "bitcast_convert_type", "real", "imag"),
    *("complex", "conj", "reduce_precision", "optimization_barrier", "name", "empty", "empty2"),
    *("stop_gradient", "create_token"),
    *("and", "or", "xor", "not", "shift_left", "shift_right_logical", "shift_right_arithmetic", "clz"),
    *("population_count", "reduce_and", "reduce_or", "reduce_xor", "lu_pivots_to_permutation"),
    *("threefry2x32", "random_bits", "random_seed", "random_wrap", "random_unwrap", "random_split"),
    *("random_fold_in", "random_clone", "rng_bit_generator", "rng_uniform"),
)


def _free(_: core.JaxprEqn) -> Cost:
    return Cost()


RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = dict.fromkeys(_FREE, _free)
