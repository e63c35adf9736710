"""The passes over a function: one nest, one primal, everything that is wanted of it."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.passes.curvature import curvature
from pullback_server.compute.planner.passes.forward import forward
from pullback_server.compute.planner.passes.nest import nest
from pullback_server.compute.planner.passes.reverse import reverse
from pullback_server.compute.planner.passes.step import OUTPUTS, Found, Items, Primal, Setting, Step
from pullback_server.model.quantities import Mode


def differentiate(
    primal: Primal, inputs: Leaves, derivatives: Sequence[Derivative], setting: Setting
) -> tuple[Leaves, dict[Derivative, Leaves]]:
    """Gives derivatives of a function at one point, and its value.

    Args:
        primal: The function of `inputs`.
        inputs: Where, and with respect to what: leaves of floating-point or complex type.
        derivatives: What is wanted, each behind what it needs.
        setting: What all passes know.
    """
    still = [each for each in derivatives if not each.moving]
    curving = [each for each in derivatives if each.moving and each.curves]
    nested = [each for each in derivatives if each.moving and not each.curves]
    _, (value, items) = _nested(primal, nested, setting)(*inputs)
    found = {each: items[setting.number(each)] for each in nested}
    found |= {each: curvature(primal, inputs, each, setting) for each in curving}
    found |= {each: _still(each, items[OUTPUTS]) for each in still}
    return value, found


def _nested(primal: Primal, derivatives: Sequence[Derivative], setting: Setting) -> Step:
    levels = nest(derivatives)
    step = _plain(primal)
    there = {OUTPUTS}
    for place, (mode, wanted) in enumerate(levels):
        there.update(map(setting.number, wanted))
        later = [each for _, others in levels[place + 1 :] for each in others]
        kept = there & {setting.number(each.source) for each in later}
        around = forward if mode is Mode.FORWARD else reverse
        step = around(step, wanted, kept, setting)
    return step


def _plain(primal: Primal) -> Step:
    def step(*inputs: jax.Array) -> tuple[Items, Found]:
        outputs, value = primal(*inputs)
        return {OUTPUTS: outputs}, (value, {OUTPUTS: outputs})

    return step


def _still(derivative: Derivative, outputs: Leaves) -> Leaves:
    """A derivative with respect to nothing: zeros where it is like the outputs, else no leaves."""
    if derivative.mode is Mode.REVERSE or derivative.along not in (Along.GIVEN, Along.TRACE):
        return ()
    if derivative.source is not None and derivative.along is Along.GIVEN:
        return ()
    lead = () if derivative.directions is None else (derivative.directions,)
    return tuple(jnp.zeros((*lead, *leaf.shape), leaf.dtype) for leaf in outputs)
