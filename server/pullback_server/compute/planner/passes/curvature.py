"""Second derivatives along unit vectors, forward over forward: nothing of the primal is kept."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves, columns, unit
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.passes.step import Primal, Setting


def curvature(primal: Primal, inputs: Leaves, derivative: Derivative, setting: Setting) -> Leaves:
    """The diagonal of the Hessian, or its sum, by jax.jvp of jax.jvp.

    It evaluates the function for itself: where something else is wanted too, that is a second primal.

    Args:
        primal: The function.
        inputs: Where.
        derivative: What is wanted; its `curves` is true.
        setting: What all passes know.

    Returns:
        For DIAGONAL a leaf for each pair of an output and a moving input, of shape output + input; for
        TRACE a leaf for each output.
    """
    moving = setting.moving(derivative, inputs)

    def along(index: jax.Array) -> Leaves:
        tangents = setting.spread(derivative, unit(index, moving), inputs)

        def slope(*at: jax.Array) -> Leaves:
            change: Leaves = jax.jvp(lambda *given: primal(*given)[0], at, tangents)[1]
            return change

        curved: Leaves = jax.jvp(slope, inputs, tangents)[1]
        return curved

    stacked = setting.sweep(along, setting.units(derivative), derivative)
    if derivative.along is Along.TRACE:
        return tuple(jnp.sum(leaf, 0) for leaf in stacked)
    return columns([jnp.moveaxis(leaf, 0, -1) for leaf in stacked], moving)
