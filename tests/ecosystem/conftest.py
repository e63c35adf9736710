"""Functions of the libraries that stand on JAX: exported, lifted, differentiated, against local JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest

from pullback.export import export
from pullback.program.container import StableHlo
from pullback.program.trees import flatten, unflatten
from pullback_server.compute.formats.stablehlo.lift import lift

Agree = Callable[..., None]


@pytest.fixture(autouse=True)
def _wide_types() -> Iterator[None]:
    """As in a worker, 64-bit types are on."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def agree() -> Agree:
    """Compares a function of arrays with what a server makes of it: value, gradient, and its derivative."""

    def agree(function: Callable[..., Any], *arguments: Any, second: bool = True) -> None:
        program = export(function, *arguments)
        assert isinstance(program.body, StableHlo)
        flat = lift(program.body, program.signature)

        def lifted(*given: Any) -> Any:
            pairs = zip(program.signature.arguments, given, strict=True)
            leaves = [leaf for argument, value in pairs for leaf in flatten(argument.tree, value)]
            assert program.signature.result is not None
            return unflatten(program.signature.result.tree, flat(leaves))

        local, remote = (_derivatives(f, arguments, second=second) for f in (function, lifted))
        for expected, actual in zip(jax.tree.leaves(local), jax.tree.leaves(remote), strict=True):
            scale = max(np.max(np.abs(expected), initial=0.0), 1e-300)
            np.testing.assert_allclose(actual, expected, rtol=0.0, atol=1e-12 * scale)

    return agree


def _derivatives(function: Callable[..., Any], arguments: Any, *, second: bool) -> Any:
    def everything(*given: Any) -> Any:
        value, gradient = jax.value_and_grad(function)(*given)
        if not second:
            return value, gradient
        first, *others = given
        tangent = jax.tree.map(jax.numpy.ones_like, first)
        return value, jax.jvp(lambda x: jax.grad(function)(x, *others), (first,), (tangent,))

    return jax.jit(everything)(*arguments)
