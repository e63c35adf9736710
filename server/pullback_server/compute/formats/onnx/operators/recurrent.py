"""Recurrent layers: a scan over time for each direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.activations import activation
from pullback_server.compute.formats.onnx.values import Value

Function = Callable[[jax.Array], jax.Array]
State = tuple[jax.Array, ...]
Step = Callable[[State, jax.Array], State]


@dataclass(frozen=True, slots=True)
class Layer:
    """One direction of a recurrent layer, as its step needs it.

    Attributes:
        recurrence: The weights of the state, (gates * hidden, hidden).
        bias: What is added to the gates apart from the inputs' part, (gates * hidden,).
        own: The bias of the state alone, for GRU, (gates * hidden,).
        peepholes: The weights of the cell's state on the gates, for LSTM, (3 * hidden,) or None.
        functions: The activation functions.
        clip: Bounds what goes into an activation function.
        attributes: The node's attributes.
    """

    recurrence: jax.Array
    bias: jax.Array
    own: jax.Array
    peepholes: jax.Array | None
    functions: Sequence[Function]
    clip: Function
    attributes: Mapping[str, Any]


def _rnn(layer: Layer) -> Step:
    (f,) = layer.functions

    def step(state: State, gates: jax.Array) -> State:
        (h,) = state
        return (f(layer.clip(gates + h @ layer.recurrence.T + layer.own)),)

    return step


def _gru(layer: Layer) -> Step:
    f, g = layer.functions
    linear_first = bool(layer.attributes.get("linear_before_reset", 0))
    update_weight, reset_weight, weight = jnp.split(layer.recurrence, 3)
    update_bias, reset_bias, bias = jnp.split(layer.own, 3)

    def step(state: State, gates: jax.Array) -> State:
        (h,) = state
        update, reset, new = jnp.split(gates, 3, -1)
        z = f(layer.clip(update + h @ update_weight.T + update_bias))
        r = f(layer.clip(reset + h @ reset_weight.T + reset_bias))
        inner = r * (h @ weight.T + bias) if linear_first else (r * h) @ weight.T + bias
        return ((1 - z) * g(layer.clip(new + inner)) + z * h,)

    return step


def _lstm(layer: Layer) -> Step:
    f, g, h = layer.functions
    coupled = bool(layer.attributes.get("input_forget", 0))
    if layer.peepholes is None:
        to_input = to_output = to_forget = None
    else:
        to_input, to_output, to_forget = jnp.split(layer.peepholes, 3)

    def peep(gate: jax.Array, weight: jax.Array | None, cell: jax.Array) -> jax.Array:
        return layer.clip(gate if weight is None else gate + weight * cell)

    def step(state: State, gates: jax.Array) -> State:
        hidden, cell = state
        gates = gates + hidden @ layer.recurrence.T + layer.own
        i, o, forget, c = jnp.split(gates, 4, -1)
        i = f(peep(i, to_input, cell))
        forget = 1 - i if coupled else f(peep(forget, to_forget, cell))
        new = forget * cell + i * g(layer.clip(c))
        return f(peep(o, to_output, new)) * h(new), new

    return step


@dataclass(frozen=True, slots=True)
class _Kind:
    step: Callable[[Layer], Step]
    functions: tuple[str, ...]
    states: int


_RNN: Final = _Kind(_rnn, ("Tanh",), 1)
_GRU: Final = _Kind(_gru, ("Sigmoid", "Tanh"), 1)
_LSTM: Final = _Kind(_lstm, ("Sigmoid", "Tanh", "Tanh"), 2)


def _recurrent(kind: _Kind) -> Rule:
    def rule(call: Call) -> list[Value]:
        x = call.array(0)
        batch_first = bool(call.attribute("layout", 0))
        x = x.swapaxes(0, 1) if batch_first else x
        directions = call.value(1).shape[0]
        lengths = call.optional(4)
        found = [_direction(call, kind, x, lengths, i) for i in range(directions)]
        y = jnp.stack([outputs for outputs, _ in found], 1)
        finals = [jnp.stack(states) for states in zip(*(states for _, states in found), strict=True)]
        if batch_first:
            return [jnp.moveaxis(y, 2, 0), *(final.swapaxes(0, 1) for final in finals)]
        return [y, *finals]

    return rule


def _direction(
    call: Call, kind: _Kind, x: jax.Array, lengths: jax.Array | None, number: int
) -> tuple[jax.Array, State]:
    weight = call.array(1)[number]
    layer = _layer(call, kind, number, x.dtype)
    step = kind.step(layer)
    gates = x @ weight.T + layer.bias
    starts = _starts(call, kind, number, x)
    backwards = call.attribute("direction", "forward") == "reverse" or number == 1
    times = jnp.arange(x.shape[0])

    def advance(state: State, now: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
        time, gate = now
        new = step(state, gate)
        if lengths is None:
            return new, new[0]
        runs = (time < lengths)[:, None]
        kept = tuple(jnp.where(runs, one, other) for one, other in zip(new, state, strict=True))
        return kept, jnp.where(runs, new[0], jnp.zeros_like(new[0]))

    finals, outputs = lax.scan(advance, starts, (times, gates), reverse=backwards)
    return outputs, finals


def _layer(call: Call, kind: _Kind, number: int, dtype: Any) -> Layer:
    recurrence = call.array(2)[number]
    biases = call.optional(3)
    size = recurrence.shape[0]
    both = jnp.zeros(2 * size, dtype) if biases is None else biases[number]
    peepholes = call.optional(7)
    limit = call.attribute("clip", None)
    return Layer(
        recurrence,
        both[:size],
        both[size:],
        None if peepholes is None else peepholes[number],
        _functions(call, kind, number),
        (lambda x: x) if limit is None else (lambda x: jnp.clip(x, -limit, limit)),
        call.attributes,
    )


def _functions(call: Call, kind: _Kind, number: int) -> list[Function]:
    count = len(kind.functions)
    names = call.attribute("activations", None) or kind.functions * (number + 1)
    alphas, betas = call.attribute("activation_alpha", ()), call.attribute("activation_beta", ())
    found = []
    for place in range(number * count, (number + 1) * count):
        alpha = alphas[place] if place < len(alphas) else None
        beta = betas[place] if place < len(betas) else None
        function = activation(names[place], alpha, beta)
        if function is None:
            raise call.refuse(f"has the unknown activation function {names[place]!r}")
        found.append(function)
    return found


def _starts(call: Call, kind: _Kind, number: int, x: jax.Array) -> State:
    zeros = jnp.zeros((x.shape[1], call.value(2).shape[2]), x.dtype)
    batch_first = bool(call.attribute("layout", 0))
    given = [call.optional(place) for place in (5, 6)[: kind.states]]
    return tuple(
        zeros if state is None else (state[:, number] if batch_first else state[number]) for state in given
    )


OPERATORS: Final[Mapping[str, Rule]] = {
    "GRU": _recurrent(_GRU),
    "LSTM": _recurrent(_LSTM),
    "RNN": _recurrent(_RNN),
}
