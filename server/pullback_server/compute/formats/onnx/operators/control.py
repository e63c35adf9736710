"""Branches and loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.failures import malformed, unsupported
from pullback_server.compute.formats.onnx.limits import LARGEST_UNROLL
from pullback_server.compute.formats.onnx.syntax import Graph
from pullback_server.compute.formats.onnx.values import Value, is_array, is_fixed

_FIRST_SCAN: Final = 9
_FOREVER: Final = 2**31


def _if(call: Call) -> list[Value]:
    condition = call.value(0)
    branches = call.attribute("then_branch"), call.attribute("else_branch")
    if is_fixed(condition):
        return call.run(branches[0] if condition.all() else branches[1], ())
    found: list[Value] = lax.cond(
        jnp.reshape(condition, ()), *[lambda branch=branch: _arrays(call, branch, ()) for branch in branches]
    )
    return found


def _arrays(call: Call, graph: Graph, inputs: Sequence[Value]) -> list[jax.Array]:
    """The outputs of a graph, which must be arrays, as JAX's own control flow demands."""
    found = call.run(graph, inputs)
    if not all(map(is_array, found)):
        raise unsupported(
            call.node.operator, "gives sequences from a graph that only the device enters", "give arrays"
        )
    return [jnp.asarray(value) for value in found]


def _loop(call: Call) -> list[Value]:
    body = call.attribute("body")
    trip = call.integers(0, "a number of repetitions")[0] if call.has(0) else None
    carried = [*call.inputs[2:]]
    condition = call.value(1) if call.has(1) else np.asarray(True)
    scanned = len(body.outputs) - 1 - len(carried)
    if trip is not None and is_fixed(condition) and _always(body):
        if not condition.all():
            trip = 0
        return _counted(call, body, trip, carried, scanned)
    if is_fixed(condition) and _knows_its_end(call, body, carried):
        return _unrolled(call, body, trip, carried, scanned)
    if scanned:
        raise call.refuse(
            "collects results from a number of repetitions that depends on arguments",
            "give it a number of repetitions and a condition that stays true",
        )
    return _open(call, body, trip, condition, carried)


def _knows_its_end(call: Call, body: Graph, carried: Sequence[Value]) -> bool:
    """Whether the first repetition already knows, while the model is read, if a second follows."""
    first = call.run(body, (np.asarray(0), np.asarray(True), *carried))
    return is_fixed(first[0])


def _always(body: Graph) -> bool:
    """Whether the condition of a loop's body is the constant true, or the one that it was given."""
    name = body.outputs[0]
    while True:
        maker = next((node for node in body.nodes if name in node.outputs), None)
        if maker is None:
            constant = body.constants.get(name)
            return name == body.inputs[1] or (constant is not None and bool(constant.all()))
        if maker.operator == "Identity":
            name = maker.inputs[0]
            continue
        return maker.operator == "Constant" and bool(np.all(maker.attributes.get("value", 0)))


def _counted(call: Call, body: Graph, trip: int, carried: list[Value], scanned: int) -> list[Value]:
    if not all(map(is_array, carried)):
        return _unrolled(call, body, trip, carried, scanned)
    start = [jnp.asarray(value) for value in carried]

    def step(state: list[jax.Array], number: jax.Array) -> tuple[list[jax.Array], list[jax.Array]]:
        _, *found = _arrays(call, body, (number, np.asarray(True), *state))
        return found[: len(state)], found[len(state) :]

    numbers = jnp.arange(trip, dtype=jnp.int64)
    if trip and not _keeps_types(lambda: step(start, numbers[0])[0], start):
        return _unrolled(call, body, trip, carried, scanned)
    finals, collected = lax.scan(step, start, numbers)
    return [*finals, *collected]


def _keeps_types(step: Any, start: Sequence[jax.Array]) -> bool:
    try:
        after = jax.eval_shape(step)
    except Exception as error:
        if "depend on the values" in str(error):
            return False
        raise
    return [(each.shape, each.dtype) for each in after] == [(each.shape, each.dtype) for each in start]


def _unrolled(call: Call, body: Graph, trip: int | None, carried: list[Value], scanned: int) -> list[Value]:
    limit = _FOREVER if trip is None else trip
    collected: list[list[Value]] = [[] for _ in range(scanned)]
    for number in range(limit):
        if number >= LARGEST_UNROLL:
            raise call.refuse(
                f"has more than {LARGEST_UNROLL} repetitions, and its values change their shapes",
                "keep the shapes of what it carries",
            )
        inputs = (np.asarray(number), np.asarray(True), *carried)
        goes_on, *found = call.run(body, inputs)
        carried = found[: len(carried)]
        for place, value in zip(collected, found[len(carried) :], strict=True):
            place.append(value)
        if not is_fixed(goes_on):
            raise call.refuse("has a condition that depends on arguments, and its values change their shapes")
        if not goes_on.all():
            break
    return [*carried, *(_stacked(call, values) for values in collected)]


def _stacked(call: Call, values: Sequence[Value]) -> jax.Array:
    if not values:
        raise call.refuse("repeats nothing, and so what it collects has no shape", "repeat at least once")
    return jnp.stack([jnp.asarray(value) for value in values])


def _open(call: Call, body: Graph, trip: int | None, condition: Any, carried: list[Value]) -> list[Value]:
    """A loop that ends when a condition says so. With a bound it has reverse mode, without one it has not."""
    start = [jnp.asarray(value) for value in carried]
    runs = jnp.reshape(jnp.asarray(condition), ())

    def step(number: Any, runs: Any, state: list[jax.Array]) -> tuple[jax.Array, list[jax.Array]]:
        goes_on, *found = _arrays(call, body, (number, runs, *state))
        return jnp.reshape(goes_on, ()), found

    if trip is None:
        state = (jnp.zeros((), jnp.int64), runs, start)
        _, _, finals = lax.while_loop(
            lambda state: state[1], lambda state: (state[0] + 1, *step(*state)), state
        )
        return [*finals]

    def masked(state: Any, number: jax.Array) -> tuple[Any, None]:
        return lax.cond(state[0], lambda: step(number, *state), lambda: state), None

    (_, finals), _ = lax.scan(masked, (runs, start), jnp.arange(trip, dtype=jnp.int64))
    return [*finals]


def _scan(call: Call) -> list[Value]:
    if call.version < _FIRST_SCAN:
        raise call.refuse("of operator set 8 is not served", "export the model for operator set 9 or newer")
    body, count = call.attribute("body"), call.attribute("num_scan_inputs")
    states = len(call.inputs) - count
    outputs = len(body.outputs) - states
    input_axes = call.attribute("scan_input_axes", (0,) * count)
    output_axes = call.attribute("scan_output_axes", (0,) * outputs)
    backwards = call.attribute("scan_input_directions", (0,) * count)
    backwards_out = call.attribute("scan_output_directions", (0,) * outputs)
    rows = [_rows(call.array(states + i), input_axes[i], backwards[i]) for i in range(count)]
    if not rows:
        raise malformed("ONNX's Scan", "has nothing to scan")

    def step(state: list[jax.Array], row: list[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
        found = _arrays(call, body, (*state, *row))
        return found[:states], found[states:]

    finals, collected = lax.scan(step, [call.array(i) for i in range(states)], rows)
    turned = [
        jnp.moveaxis(jnp.flip(each, 0) if back else each, 0, axis)
        for each, axis, back in zip(collected, output_axes, backwards_out, strict=True)
    ]
    return [*finals, *turned]


def _rows(x: jax.Array, axis: int, backwards: int) -> jax.Array:
    rows = jnp.moveaxis(x, axis, 0)
    return jnp.flip(rows, 0) if backwards else rows


def _map(call: Call) -> list[Value]:
    """The body for each element of a sequence; other inputs are sequences of the same length, or arrays."""
    body, first = call.attribute("body"), call.sequence(0)

    def at(value: Value, number: int) -> Value:
        return value[number] if isinstance(value, tuple) else value

    found = [call.run(body, [at(value, i) for value in call.inputs]) for i in range(len(first))]
    return [tuple(each[place] for each in found) for place in range(len(body.outputs))]


OPERATORS: Final[Mapping[str, Rule]] = {
    "If": _if,
    "Loop": _loop,
    "Scan": _scan,
    "SequenceMap": _map,
}
