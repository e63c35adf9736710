"""Loops whose number of trips depends on data, with a reverse mode of their own.

JAX has none for them, since it would have to keep an unknown number of states. Here `schedule` says which
states are kept, and the others are computed again. Everything that the reverse mode is made of is
itself a loop that JAX differentiates forward, so that forward over reverse exists to every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.loops.schedule import Schedule

State = list[Any]
Condition = Callable[[State, State], jax.Array]
"""From what does not change and the state to whether there is another trip."""
Trip = Callable[[State, State], State]
"""From what does not change and the state to the next state."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that can be reversed.

    Attributes:
        goes_on: Its condition.
        trip: One trip, for running it; JAX need only differentiate it forward.
        reversed_trip: The same, for `jax.vjp` directly around it.
        schedule: How many states are kept.
    """

    goes_on: Condition
    trip: Trip
    reversed_trip: Trip
    schedule: Schedule

    def __call__(self, fixed: State, start: State) -> State:
        """Runs the loop, with a reverse mode with respect to `fixed` and `start`."""
        loop = jax.custom_vjp(self._run)
        loop.defvjp(self._forward, self._backward, symbolic_zeros=True)
        return list(loop(fixed, start))

    def _run(self, fixed: State, start: State) -> State:
        return run(self.goes_on, self.trip, fixed, start)

    def _forward(self, fixed: State, start: State) -> tuple[State, _Residuals]:
        values = [primal.value for primal in fixed]
        state, kept = self._keep(values, [primal.value for primal in start])
        return state, _Residuals(values, _marks(fixed), kept)

    def _keep(self, fixed: State, start: State) -> tuple[State, _Kept]:
        """Runs the loop and keeps the states that the schedule says."""
        most = self.schedule.kept

        def goes_on(at: tuple[State, _Kept]) -> jax.Array:
            return self.goes_on(fixed, at[0])

        def leg(at: tuple[State, _Kept]) -> tuple[State, _Kept]:
            state, kept = at
            kept = lax.cond(kept.number == most, _thinned, lambda same: same, kept)
            slots = _put(kept.slots, kept.number, state)
            state, done = self._advance(fixed, state, kept.stride)
            return state, _Kept(slots, kept.number + 1, kept.stride, kept.blocks + done)

        slots = [
            jnp.zeros((self.schedule.slots, *value.shape), value.dtype) for value in map(jnp.asarray, start)
        ]
        zero = jnp.int32(0)
        return lax.while_loop(goes_on, leg, (start, _Kept(slots, zero, zero + 1, zero)))

    def _advance(self, fixed: State, state: State, blocks: jax.Array) -> tuple[State, jax.Array]:
        """Runs up to so many blocks; gives the state and how many blocks were begun."""
        block = self.schedule.block

        def goes_on(at: tuple[State, jax.Array]) -> jax.Array:
            return (at[1] < blocks * block) & self.goes_on(fixed, at[0])

        def trip(at: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
            return self.trip(fixed, at[0]), at[1] + 1

        state, trips = lax.while_loop(goes_on, trip, (state, jnp.int32(0)))
        return state, (trips + block - 1) // block

    def _backward(self, residuals: _Residuals, cotangents: State) -> tuple[State, State]:
        fixed, marks, kept = residuals
        pulled = _Cotangents(
            list(map(_zeros, _marked(fixed, marks))),
            [
                _instantiated(one)
                for one, slot in zip(cotangents, kept.slots, strict=True)
                if _is_inexact(slot)
            ],
        )

        def goes_on(at: tuple[_Stack, _Cotangents]) -> jax.Array:
            return at[0].target > 0

        def block(at: tuple[_Stack, _Cotangents]) -> tuple[_Stack, _Cotangents]:
            stack, pulled = at
            stack, state = self._reach(fixed, stack)
            pulled = self._reverse_block(fixed, marks, state, pulled)
            spent = _take(stack.places, stack.top) == stack.target - 1
            return stack._replace(top=stack.top - spent.astype(jnp.int32), target=stack.target - 1), pulled

        places = jnp.arange(self.schedule.slots, dtype=jnp.int32) * kept.stride
        stack = _Stack(kept.slots, places, kept.number - 1, kept.blocks)
        _, pulled = lax.while_loop(goes_on, block, (stack, pulled))
        return _spread(marks, pulled.fixed), _spread(_inexact_marks(kept.slots), pulled.state)

    def _reach(self, fixed: State, stack: _Stack) -> tuple[_Stack, State]:
        """The state before the block to be reversed; keeps further states on the way."""
        most = self.schedule.slots

        def goes_on(at: tuple[_Stack, jax.Array, State]) -> jax.Array:
            return at[1] < at[0].target - 1

        def leg(at: tuple[_Stack, jax.Array, State]) -> tuple[_Stack, jax.Array, State]:
            stack, place, state = at
            free = most - 1 - stack.top
            step = self.schedule.advance(stack.target - place, free)
            state, _ = self._advance(fixed, state, step)
            return _pushed(stack, place + step, state, free > 0), place + step, state

        state = [_take(slot, stack.top) for slot in stack.slots]
        stack, _, state = lax.while_loop(goes_on, leg, (stack, _take(stack.places, stack.top), state))
        return stack, state

    def _reverse_block(self, fixed: State, marks: _Marks, state: State, pulled: _Cotangents) -> _Cotangents:
        def record(state: State, _: None) -> tuple[State, tuple[jax.Array, State]]:
            active = self.goes_on(fixed, state)
            after = lax.cond(active, lambda now: self.trip(fixed, now), lambda now: now, state)
            return after, (active, state)

        def back(pulled: _Cotangents, at: tuple[jax.Array, State]) -> tuple[_Cotangents, None]:
            active, state = at
            return lax.cond(
                active, lambda one: self._pull(fixed, marks, state, one), lambda one: one, pulled
            ), None

        _, trips = lax.scan(record, state, length=self.schedule.block)
        pulled, _ = lax.scan(back, pulled, trips, reverse=True)
        return pulled

    def _pull(self, fixed: State, marks: _Marks, state: State, pulled: _Cotangents) -> _Cotangents:
        """Pulls cotangents back through one trip."""
        moving = _inexact_marks(state)

        def trip(constants: State, values: State) -> State:
            after = self.reversed_trip(_merged(fixed, marks, constants), _merged(state, moving, values))
            return _marked(after, moving)

        _, pullback = jax.vjp(trip, _marked(fixed, marks), _marked(state, moving))
        constants, values = pullback(pulled.state)
        return _Cotangents(
            [sum_ + one for sum_, one in zip(pulled.fixed, constants, strict=True)], list(values)
        )


def run(goes_on: Condition, trip: Trip, fixed: State, start: State) -> State:
    """Runs a loop as it stands."""
    final = lax.while_loop(lambda state: goes_on(fixed, state), lambda state: trip(fixed, state), list(start))
    return list(final)


class _Kept(NamedTuple):
    """The states that were kept while a loop ran.

    Attributes:
        slots: The states, stacked.
        number: How many they are.
        stride: How many blocks lie from one to the next.
        blocks: How many blocks there are.
    """

    slots: State
    number: jax.Array
    stride: jax.Array
    blocks: jax.Array


_Marks = list[tuple[()] | None]
"""Which of some values are meant: said by their structure, so that it is known while tracing."""


class _Residuals(NamedTuple):
    """What the reverse mode takes from the forward pass.

    Attributes:
        fixed: What does not change.
        marks: What of it has cotangents that are asked for.
        kept: The states that were kept.
    """

    fixed: State
    marks: _Marks
    kept: _Kept


class _Stack(NamedTuple):
    """The states that are kept while a loop is reversed.

    Attributes:
        slots: The states, stacked.
        places: Before which block each stands.
        top: The number of the last.
        target: How many blocks are left to be reversed.
    """

    slots: State
    places: jax.Array
    top: jax.Array
    target: jax.Array


class _Cotangents(NamedTuple):
    """The cotangents of what is marked of what does not change, and of the state."""

    fixed: State
    state: State


def _thinned(kept: _Kept) -> _Kept:
    """Every second state; the stride doubles."""
    half = kept.number // 2
    # The slots behind those that are kept hold anything.
    slots = [jnp.concatenate([slot[::2], slot[slot.shape[0] // 2 :]]) for slot in kept.slots]
    return kept._replace(slots=slots, number=half, stride=kept.stride * 2)


def _pushed(stack: _Stack, place: jax.Array, state: State, room: jax.Array) -> _Stack:
    top = stack.top + room.astype(jnp.int32)
    # Without room the last slot is written with what it holds.
    state = [jnp.where(room, one, _take(slot, top)) for one, slot in zip(state, stack.slots, strict=True)]
    place = jnp.where(room, place, _take(stack.places, top))
    places = lax.dynamic_update_index_in_dim(stack.places, place, top, 0)
    return stack._replace(slots=_put(stack.slots, top, state), places=places, top=top)


def _put(slots: State, number: jax.Array, state: State) -> State:
    pairs = zip(slots, state, strict=True)
    return [lax.dynamic_update_index_in_dim(slot, value, number, 0) for slot, value in pairs]


def _take(slot: jax.Array, number: jax.Array) -> jax.Array:
    value: jax.Array = lax.dynamic_index_in_dim(slot, number, 0, keepdims=False)
    return value


def _marks(primals: State) -> _Marks:
    """Marks what a derivative is taken with respect to."""
    return [() if primal.perturbed and _is_inexact(primal.value) else None for primal in primals]


def _inexact_marks(values: State) -> _Marks:
    """Marks what has derivatives: values of floating-point or complex type."""
    return [() if _is_inexact(value) else None for value in values]


def _is_inexact(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, jnp.inexact))


def _marked(values: State, marks: _Marks) -> State:
    return [value for value, mark in zip(values, marks, strict=True) if mark is not None]


def _merged(values: State, marks: _Marks, others: Sequence[Any]) -> State:
    """The values with others in the place of those that are marked."""
    given = iter(others)
    pairs = zip(values, marks, strict=True)
    return [value if mark is None else next(given) for value, mark in pairs]


def _spread(marks: _Marks, cotangents: State) -> State:
    """Cotangents of all values: None, which is JAX's zero, for those that are not marked."""
    given = iter(cotangents)
    return [None if mark is None else next(given) for mark in marks]


def _instantiated(cotangent: Any) -> Any:
    is_zero = isinstance(cotangent, jax.custom_derivatives.SymbolicZero)
    return _zeros(cotangent) if is_zero else cotangent


def _zeros(value: Any) -> jax.Array:
    return jnp.zeros(value.shape, value.dtype)
