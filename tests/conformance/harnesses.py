"""JAX's own examples of its primitives, each exported by plain `jax.export`, lifted, and held to JAX."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from conformance.agreement import bit_equal, disagreement
from conformance.exports import directions, is_inexact, pulled, pushed, serve_exported

# By the start of a name: derivatives that plain `jax.export` leaves behind; `pullback.export` keeps them.
# Where StableHLO says how a function is computed, that is what is differentiated.
OWN_RULES: Mapping[str, str] = {
    "stop_gradient": "is no operation of StableHLO",
    "nextafter": "is made of bits, which have no derivatives; JAX follows the first argument",
    "random_gamma": "is a loop that rejects; JAX differentiates the distribution it draws from",
    "digamma_shape_float16": "near poles, the rule overflows in half precision, and not where it is widened",
    "igamma": "outside of its domain, JAX's rule has no numbers where the series has some",
    "(min|max)_inf_nan_complex": "is a choice by comparison there, and JAX's rule halves ties",
    "gather_(batchdims|op)_shape": "clamps indices that JAX was promised are inside, and its rule drops them",
    "integer_pow_.*float16_20_30_y_-": "products overflow in half precision, JAX's rule divides earlier",
}


@cache
def harnesses() -> Mapping[str, Any]:
    """JAX's harnesses that run on a CPU, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jax._src.internal_test_util import test_harnesses  # noqa: PLC0415 -- slow to import
    return {harness.fullname: harness for harness in test_harnesses.all_harnesses if harness.filter("cpu")}


def groups() -> Mapping[str, list[str]]:
    """The names of all harnesses by their group, which is a primitive mostly.

    Sorted: JAX makes some in the order of a set of types, which differs from process to process.
    """
    found: dict[str, list[str]] = {}
    for name, harness in sorted(harnesses().items()):
        found.setdefault(harness.group_name, []).append(name)
    return found


def examine(name: str, platform: str = "cpu") -> dict[str, str]:
    """What a lifted harness does to value, forward and reverse mode.

    Returns:
        For each of "value", "jvp" and "vjp" that JAX itself can compute: "equal", "close", or how it fails.
    """
    harness = harnesses()[name]
    arguments = harness.dyn_args_maker(np.random.RandomState(zlib.crc32(name.encode())))
    found, tree = jax.tree.flatten(arguments)
    leaves = [leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf) for leaf in found]

    def native(*flat: Any) -> list[Any]:
        return list(jax.tree.leaves(harness.dyn_fun(*jax.tree.unflatten(tree, flat))))

    expected = _attempt(lambda: jax.jit(native)(*leaves))
    if isinstance(expected, Exception):
        return {}
    served = _attempt(lambda: serve_exported(native, leaves, platform))
    if isinstance(served, Exception):
        return {"value": _spell(served)}
    outcome = {"value": _held(lambda: jax.jit(served.forward)(*leaves), expected)}
    if not any(map(is_inexact, leaves)) or not any(map(is_inexact, expected)) or _is_left_out(name):
        return outcome
    modes: Mapping[str, tuple[Callable[..., Any], Any, list[Any]]] = {
        "jvp": (pushed, served.forward, directions(leaves, 1)),
        "vjp": (pulled, served.reverse, directions(expected, 2)),
    }
    for mode, (derive, function, along) in modes.items():
        local = _attempt(lambda: derive(native, leaves, along))  # noqa: B023 -- called at once
        if not isinstance(local, Exception):
            outcome[mode] = _held(lambda: derive(function, leaves, along), local)  # noqa: B023 -- likewise
    return outcome


def _is_left_out(name: str) -> bool:
    return any(re.match(pattern, name) for pattern in OWN_RULES)


def _attempt(compute: Callable[[], Any]) -> Any:
    """A result, or the error instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compute()
        except Exception as error:  # noqa: BLE001 -- what JAX raises is of many kinds
            return error


def _held(compute: Callable[[], Any], expected: Sequence[Any]) -> str:
    actual = _attempt(compute)
    if isinstance(actual, Exception):
        return _spell(actual)
    return disagreement(actual, expected) or ("equal" if bit_equal(actual, expected) else "close")


def _spell(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
