"""What tests and symbolic shapes assert.

A program under test calls `check.*` with what it computed and what is expected. `check.eq` gives the
answer as a value; the others have none, and what they expect is for a test to look at: they are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import BuildCall, Call

# Of the interpreter of openxla/stablehlo, which compares floats so.
_TOLERANCE: Final = 1e-4


def _equal(call: Call) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        actual, expected = operands[:2]
        return [jnp.all(_close(actual, expected)) for _ in call.results]

    return emit


def _close(actual: jax.Array, expected: jax.Array) -> jax.Array:
    if not jnp.issubdtype(expected.dtype, jnp.inexact):
        return actual == expected
    if jnp.iscomplexobj(expected):
        return _close(jnp.real(actual), jnp.real(expected)) & _close(jnp.imag(actual), jnp.imag(expected))
    wide = jnp.promote_types(expected.dtype, jnp.float32)
    one, other = actual.astype(wide), expected.astype(wide)
    near = jnp.abs(one - other) <= _TOLERANCE * jnp.maximum(1, jnp.abs(other))
    finite = jnp.isfinite(one) & jnp.isfinite(other)
    return (one == other) | (finite & near) | (jnp.isnan(one) & jnp.isnan(other))


def _expectation(call: Call) -> Emit:
    # Some writers give these a result that says they hold.
    return (
        _equal(call) if len(call.operation.operands) > 1 else lambda _: [jnp.bool_(True)] * len(call.results)
    )


def _shape_assertion(call: Call) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        holds = operands[0]
        if isinstance(holds, np.ndarray | np.generic) and not holds.all():
            raise malformed(call.name, f"does not hold: {call.operation.attributes.get('error_message')}")
        return []

    return emit


BUILDERS: Final[Mapping[str, BuildCall]] = {
    "check.eq": _equal,
    **dict.fromkeys(
        (
            "check.expect_almost_eq",
            "check.expect_almost_eq_const",
            "check.expect_close",
            "check.expect_eq",
            "check.expect_eq_const",
        ),
        _expectation,
    ),
    "shape_assertion": _shape_assertion,
}
