"""Calls out of StableHLO: those that JAX guarantees to be stable become JAX's own operations again.

One module a family. Names and conventions are those of `jax.export` and of the lowering rules in
`jax/_src/lax/linalg.py`; what computes is JAX's operation of the same meaning, on whatever device.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import jax.numpy as jnp

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations import chlo
from pullback_server.compute.formats.stablehlo.operations.custom_calls import (
    assertions,
    factorizations,
    placements,
    random,
    selections,
    solves,
    spectra,
)
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import BuildCall, Call
from pullback_server.compute.formats.stablehlo.operations.custom_calls.refusals import refusal
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _empty(call: Call) -> Emit:
    """`lax.empty`, whose elements are undefined."""
    return lambda _: [jnp.zeros(type_.shape, type_.element.dtype) for type_ in call.results]


TARGETS: Final[Mapping[str, BuildCall]] = MappingProxyType(
    {
        **assertions.BUILDERS,
        **factorizations.BUILDERS,
        **placements.BUILDERS,
        **random.BUILDERS,
        **selections.BUILDERS,
        **solves.BUILDERS,
        **spectra.BUILDERS,
        "AllocateBuffer": _empty,
    }
)
"""What builds each custom call that is served, by its target."""


def _custom_call(operation: Operation, scope: Scope) -> Emit:
    target = operation.attributes["call_target_name"]
    # Operations of CHLO travel so through versions of StableHLO that lack them.
    dialect, _, name = target.partition(".")
    if dialect in ("mhlo", "chlo") and f"chlo.{name}" in chlo.BUILDERS:
        return chlo.BUILDERS[f"chlo.{name}"](operation, scope)
    call = Call(target, operation, scope)
    if target not in TARGETS:
        raise refusal(call)
    return TARGETS[target](call)


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.custom_call": _custom_call, **placements.OPERATIONS}
