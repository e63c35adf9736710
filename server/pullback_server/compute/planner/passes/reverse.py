"""A pass in reverse mode around a step: jax.vjp, and its pullback along what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pullback_server.compute.planner.basis import Leaves, ravelled, rows, seed, unit
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.passes.step import Found, Items, Setting, Step
from pullback_server.compute.planner.sparse.entries import entries

Pullback = Callable[[Leaves], Leaves]
"""Takes cotangents of what is differentiated and gives those of all inputs."""


def reverse(step: Step, wanted: Sequence[Derivative], kept: Collection[int], setting: Setting) -> Step:
    """A step around `step` that finds derivatives in reverse mode.

    Args:
        step: The step that finds what they differentiate.
        wanted: The derivatives.
        kept: The numbers of what later passes differentiate.
        setting: What all passes know.
    """

    def raised(*inputs: jax.Array) -> tuple[Items, Found]:
        live, pullback, (value, found) = jax.vjp(step, *inputs, has_aux=True)
        new: Items = {}
        for members in _along_the_same(wanted):
            source = setting.number(members[0].source)
            pull = _only(pullback, live, source)
            new.update(_pulled(members, pull, live[source], found, setting))
        found = {**found, **new}
        return {number: (found | live)[number] for number in kept}, (value, found)

    return raised


def _along_the_same(wanted: Sequence[Derivative]) -> Iterator[tuple[Derivative, ...]]:
    """Derivatives that need the same cotangents, whichever inputs they are with respect to."""
    groups: dict[tuple[object, ...], list[Derivative]] = {}
    for each in wanted:
        key = (each.source, each.along, each.directions, each.pushed, each.coloring)
        groups.setdefault(key, []).append(each)
    return map(tuple, groups.values())


def _only(pullback: Callable[[Items], Leaves], live: Items, source: int) -> Pullback:
    """The pullback from one of the things that were differentiated together."""

    def pull(cotangents: Leaves) -> Leaves:
        zeros = {number: jax.tree.map(jnp.zeros_like, leaves) for number, leaves in live.items()}
        return pullback({**zeros, source: cotangents})

    return pull


def _pulled(
    members: Sequence[Derivative], pull: Pullback, source: Leaves, found: Items, setting: Setting
) -> Items:
    first = members[0]
    cotangents = setting.cotangents
    if first.pushed is not None:
        given = setting.given.get(first.pushed)
        cotangents = found[setting.number(first.pushed)] if given is None else given
    match first.along:
        case Along.ONE:
            cotangents = tuple(jnp.ones_like(leaf) for leaf in source)
            pulled = pull(cotangents)
        case Along.GIVEN | Along.PUSHED if first.directions is None:
            pulled = pull(cotangents)
        case Along.GIVEN | Along.PUSHED:
            pulled = setting.sweep(pull, cotangents, first)
        case _:
            pulled = setting.sweep(
                lambda index: pull(_cotangents(first, index, source)), setting.units(first), first
            )
    return {setting.number(each): _join(each, setting.moving(each, pulled), source) for each in members}


def _cotangents(derivative: Derivative, index: Any, source: Leaves) -> Leaves:
    if derivative.coloring is not None:
        return seed(index, derivative.coloring.color, source)
    return unit(index, source)


def _join(derivative: Derivative, pulled: Leaves, source: Leaves) -> Leaves:
    match derivative.along:
        case Along.BASIS:
            return rows(pulled, source)
        case Along.SEEDS if derivative.coloring is not None:
            elements = [leaf.dtype for _ in source for leaf in pulled]
            return entries(jax.vmap(ravelled)(pulled), derivative.coloring, elements)
        case _:
            return pulled
