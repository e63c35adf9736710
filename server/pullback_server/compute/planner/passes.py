"""One pass over a function that gives everything that is needed of it, with one primal.

Reverse mode stands inside, forward mode around it, as in jax.hessian. What an inner pass has found
leaves the outer ones as auxiliary output, so that nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves, columns, rows, standard_basis
from pullback_server.compute.planner.needs import Needs


@jax.tree_util.register_dataclass
@dataclass(frozen=True, slots=True)
class Derivatives:
    """What a pass found. What was not needed is left empty.

    Attributes:
        value: The result's leaves.
        orders: The derivatives of order 1, 2, ...: a leaf for each tuple of an output and inputs.
        first_pushed: The change of the first derivative along the tangents.
        pulled: The cotangents pulled back, a leaf for each input.
        columns: The Jacobian in forward mode.
        pushed: The change of the outputs along the tangents.
    """

    value: Leaves
    orders: tuple[Leaves, ...] = ()
    first_pushed: Leaves = ()
    pulled: Leaves = ()
    columns: Leaves = ()
    pushed: Leaves = ()

    def order(self, order: int) -> Leaves:
        """The derivative of an order from 1; it has no leaves where there was no input."""
        return self.orders[order - 1] if order <= len(self.orders) else ()


@jax.tree_util.register_dataclass
@dataclass(frozen=True, slots=True)
class Frontier:
    """What the next forward pass differentiates.

    Attributes:
        outputs: The outputs, where their forward derivative is needed.
        derivative: The highest derivative so far, where a higher one is needed.
    """

    outputs: Leaves = ()
    derivative: Leaves = ()


Primal = Callable[..., tuple[Leaves, Leaves]]
"""Takes the inputs and gives the outputs that have a derivative, and, beside them, the whole result."""
Step = Callable[..., tuple[Frontier, Derivatives]]
"""Takes the inputs and gives what can be differentiated further, and, beside it, what was found."""


def differentiate(
    primal: Primal, inputs: Leaves, needs: Needs, tangents: Leaves = (), cotangents: Leaves = ()
) -> Derivatives:
    """Gives all that is needed of a function at one point.

    Args:
        primal: The function of `inputs`.
        inputs: Where, and with respect to what: leaves of floating-point or complex type.
        needs: What is needed beside the value.
        tangents: One for each input; used if `needs.along_tangents`.
        cotangents: One for each output; used if `needs.pulled`.
    """
    step = _reverse(primal, needs, cotangents) if needs.reverse else _plain(primal)
    if needs.along_tangents and needs.along_basis and inputs:
        step = _forward_both(step, tangents)
    elif needs.along_tangents:
        step = _forward_along(step, tangents)
    elif needs.along_basis and inputs:
        step = _forward(step)
    for _ in range(2, needs.order if inputs else 0):
        step = _forward(step)
    return step(*inputs)[1]


def _plain(primal: Primal) -> Step:
    def step(*inputs: jax.Array) -> tuple[Frontier, Derivatives]:
        outputs, value = primal(*inputs)
        return Frontier(outputs), Derivatives(value)

    return step


def _reverse(primal: Primal, needs: Needs, cotangents: Leaves) -> Step:
    forward_outputs = needs.columns or needs.pushed
    forward_first = needs.order > 1 or needs.first_pushed

    def step(*inputs: jax.Array) -> tuple[Frontier, Derivatives]:
        outputs, pullback, value = jax.vjp(primal, *inputs, has_aux=True)
        first = _first(pullback, outputs, by_rows=needs.order > 0) if needs.has_first else ()
        pulled = pullback(cotangents) if needs.pulled else ()
        frontier = Frontier(outputs if forward_outputs else (), first if forward_first else ())
        return frontier, Derivatives(value, (first,), pulled=pulled)

    return step


def _first(pullback: Callable[[Leaves], Leaves], outputs: Leaves, *, by_rows: bool) -> Leaves:
    """The first derivative: as jax.grad gives it where that exists, unless asked for rows (jax.jacrev)."""
    if by_rows or len(outputs) != 1 or outputs[0].shape:
        return rows(pullback, outputs)
    return pullback((jnp.ones_like(outputs[0]),))


def _forward(step: Step) -> Step:
    """One more forward derivative in every direction: jax.jacfwd."""

    def raised(*inputs: jax.Array) -> tuple[Frontier, Derivatives]:
        jacobian = jax.jacfwd(step, argnums=tuple(range(len(inputs))), has_aux=True)
        slopes, found = jacobian(*inputs)
        return _raise(
            found, tuple(jax.tree.leaves(slopes.outputs)), tuple(jax.tree.leaves(slopes.derivative))
        )

    return raised


def _forward_along(step: Step, tangents: Leaves) -> Step:
    """The change along the tangents: jax.jvp."""

    def pushed(*inputs: jax.Array) -> tuple[Frontier, Derivatives]:
        _, change, found = jax.jvp(step, inputs, tangents, has_aux=True)
        return Frontier(), replace(found, pushed=change.outputs, first_pushed=change.derivative)

    return pushed


def _forward_both(step: Step, tangents: Leaves) -> Step:
    """Both of one linearization: the change along the tangents and in every direction."""

    def raised(*inputs: jax.Array) -> tuple[Frontier, Derivatives]:
        _, push, found = jax.linearize(step, *inputs, has_aux=True)
        change = push(*tangents)
        found = replace(found, pushed=change.outputs, first_pushed=change.derivative)
        slopes = jax.vmap(push, out_axes=-1)(*standard_basis(inputs))
        return _raise(found, columns(slopes.outputs, inputs), columns(slopes.derivative, inputs))

    return raised


def _raise(found: Derivatives, outputs: Leaves, derivative: Leaves) -> tuple[Frontier, Derivatives]:
    higher = replace(found, columns=found.columns or outputs, orders=(*found.orders, derivative))
    return Frontier(derivative=derivative), higher
