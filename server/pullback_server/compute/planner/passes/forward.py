"""A pass in forward mode around a step: jax.jvp, jax.jacfwd, or one linearization for several directions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves, columns, ravelled, seed, unit
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.passes.step import Found, Items, Setting, Step
from pullback_server.compute.planner.sparse.entries import entries, own_entry


def forward(step: Step, wanted: Sequence[Derivative], kept: Collection[int], setting: Setting) -> Step:
    """A step around `step` that finds derivatives in forward mode.

    Args:
        step: The step that finds what they differentiate.
        wanted: The derivatives.
        kept: The numbers of what later passes differentiate.
        setting: What all passes know.
    """
    groups = tuple(_Group(tuple(members), setting) for members in _along_the_same(wanted))

    def raised(*inputs: jax.Array) -> tuple[Items, Found]:
        if len(groups) == 1 and setting.whole(groups[0].first):
            live, (value, found), new = groups[0].at_once(step, inputs)
        else:
            live, push, (value, found) = jax.linearize(step, *inputs, has_aux=True)
            new = {
                number: leaves for group in groups for number, leaves in group.pushed(push, inputs).items()
            }
        found = {**found, **new}
        return {number: (found | live)[number] for number in kept}, (value, found)

    return raised


def _along_the_same(wanted: Sequence[Derivative]) -> list[list[Derivative]]:
    groups: dict[tuple[object, ...], list[Derivative]] = {}
    for each in wanted:
        key = (each.along, each.moving, each.directions, each.coloring)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


@dataclass(frozen=True, slots=True)
class _Group:
    """Derivatives along the same directions.

    Attributes:
        members: The derivatives.
        setting: What all passes know.
    """

    members: tuple[Derivative, ...]
    setting: Setting

    @property
    def first(self) -> Derivative:
        """One of them, for what they have in common; that with the largest need of memory."""
        return min(self.members, key=self.setting.chunking.chunk)

    @property
    def single(self) -> bool:
        """Whether it is one direction, without an axis."""
        return self.first.along is Along.GIVEN and self.first.directions is None

    def at_once(self, step: Step, inputs: Leaves) -> tuple[Items, Found, Items]:
        """The step itself, and the derivatives, taking all directions at a time."""

        def one(direction: Any) -> tuple[Items, Found, Items]:
            live, change, found = jax.jvp(step, inputs, self._tangents(direction, inputs), has_aux=True)
            return live, found, self._own(change, direction, inputs)

        if self.single:
            return one(self.setting.tangents)
        live, found, stacked = jax.vmap(one, out_axes=(None, None, 0))(self._directions())
        return live, found, self._joined(stacked, inputs)

    def pushed(self, push: Any, inputs: Leaves) -> Items:
        """The derivatives of a linearized step."""

        def one(direction: Any) -> Items:
            return self._own(push(*self._tangents(direction, inputs)), direction, inputs)

        if self.single:
            return one(self.setting.tangents)
        return self._joined(self.setting.sweep(one, self._directions(), self.first), inputs)

    def _directions(self) -> Any:
        return self.setting.tangents if self.first.along is Along.GIVEN else self.setting.units(self.first)

    def _tangents(self, direction: Any, inputs: Leaves) -> Leaves:
        moving = self.setting.moving(self.first, inputs)
        match self.first.along:
            case Along.GIVEN:
                tangents = direction
            case Along.SEEDS if self.first.coloring is not None:
                tangents = seed(direction, self.first.coloring.color, moving)
            case _:
                tangents = unit(direction, moving)
        return self.setting.spread(self.first, tangents, inputs)

    def _own(self, change: Items, direction: Any, inputs: Leaves) -> Items:
        """What is kept of one direction's change, for each derivative."""
        return {
            self.setting.number(each): _keep(
                each, change[self.setting.number(each.source)], direction, self.setting.moving(each, inputs)
            )
            for each in self.members
        }

    def _joined(self, stacked: Items, inputs: Leaves) -> Items:
        """The derivatives of what was kept of all directions, stacked on the first axis."""
        return {
            self.setting.number(each): _join(
                each, stacked[self.setting.number(each)], self.setting.moving(each, inputs)
            )
            for each in self.members
        }


def _keep(derivative: Derivative, change: Leaves, direction: Any, moving: Leaves) -> Leaves:
    if derivative.along in (Along.DIAGONAL, Along.TRACE):
        return own_entry(change, direction, moving)
    return change


def _join(derivative: Derivative, stacked: Leaves, moving: Leaves) -> Leaves:
    match derivative.along:
        case Along.GIVEN:
            return stacked
        case Along.TRACE:
            return tuple(jnp.sum(leaf, 0) for leaf in stacked)
        case Along.SEEDS if derivative.coloring is not None:
            elements = [leaf.dtype for leaf in stacked for _ in moving]
            compressed = jax.vmap(ravelled)(stacked)
            return entries(compressed, derivative.coloring, elements)
        case _:
            return columns([jnp.moveaxis(leaf, 0, -1) for leaf in stacked], moving)
