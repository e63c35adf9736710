"""Derivative rules that use what their Python functions closed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pullback.export import RuleClosureError, export
from pullback.program.container import StableHlo

_X = np.array([0.3, -0.7])


def _jvp(around: jax.Array) -> Callable[[jax.Array], jax.Array]:
    function = jax.custom_jvp(lambda x: x * around)
    function.defjvp(lambda p, t: (function(*p), 3.0 * t[0] * around))
    return function


def _vjp(around: jax.Array) -> Callable[[jax.Array], jax.Array]:
    function = jax.custom_vjp(lambda x: x * around)
    function.defvjp(lambda x: (x * around, x), lambda x, ct: (3.0 * ct * around,))
    return function


def _modules(function: Any, *examples: Any) -> int:
    body = export(function, *examples).body
    assert isinstance(body, StableHlo)
    return len(body.modules)


@pytest.mark.parametrize("make", [_jvp, _vjp])
def test_values_of_other_arguments_can_be_captured(make: Any) -> None:
    """Each rule is one module, however many functions closed over different values have it."""
    once = _modules(lambda x, y: make(jnp.sin(y))(x), _X, _X)
    twice = _modules(lambda x, y: make(y)(x) + make(jnp.sin(y))(2 * x), _X, _X)
    assert 0 < once == twice


@pytest.mark.parametrize("make", [_jvp, _vjp])
def test_values_from_outside_a_call_can_be_captured(make: Any) -> None:
    """A jitted function is no loop: a rule inside may use what stands outside."""
    assert _modules(lambda x, y: jax.jit(make(jnp.sin(y)))(x), _X, _X) > 0


@pytest.mark.parametrize("make", [_jvp, _vjp])
def test_values_from_outside_a_loop_cannot(make: Any) -> None:
    """As in JAX; the error says what to do."""
    with pytest.raises(RuleClosureError, match="pass the value"):
        export(lambda x, y: lax.scan(lambda c, _: (make(y)(c), None), x, None, length=2)[0], _X, _X)


def test_a_rule_that_fails_leaves_values() -> None:
    """Where JAX has no derivative, the program has none; it still has values."""
    function = jax.custom_jvp(jnp.sin)
    function.defjvp(lambda p, t: (function(*p), t[0][:1]))
    assert _modules(function, _X) == 0
