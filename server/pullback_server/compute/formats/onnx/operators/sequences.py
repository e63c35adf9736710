"""Sequences of arrays, of a length that is known, and values that may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.shapes import cut
from pullback_server.compute.formats.onnx.values import Fixed


def _place(call: Call, place: int, default: int) -> int:
    return call.integers(place, "a place in a sequence")[0] if call.has(place) else default


def _at(call: Call) -> Any:
    return call.sequence(0)[_place(call, 1, 0)]


def _insert(call: Call) -> list[Any]:
    found = list(call.sequence(0))
    found.insert(_place(call, 2, len(found)), call.value(1))
    return [tuple(found)]


def _erase(call: Call) -> list[Any]:
    found = list(call.sequence(0))
    del found[_place(call, 1, len(found) - 1)]
    return [tuple(found)]


def _length(call: Call) -> Fixed:
    return np.asarray(len(call.sequence(0)), np.int64)


def _joined(call: Call) -> jax.Array:
    join = jnp.stack if call.attribute("new_axis", 0) else jnp.concatenate
    return join([jnp.asarray(part) for part in call.sequence(0)], axis=call.attribute("axis"))


def _split(call: Call) -> list[Any]:
    x, axis = call.array(0), call.attribute("axis", 0)
    if not call.has(1):
        parts = cut(x, [1] * x.shape[axis], axis)
        return [
            tuple(parts if call.attribute("keepdims", 1) else [jnp.squeeze(part, axis) for part in parts])
        ]
    sizes = call.fixed(1, "sizes")
    if sizes.ndim:
        return [tuple(cut(x, [int(size) for size in sizes], axis))]
    each = int(sizes)
    return [tuple(cut(x, [min(each, x.shape[axis] - i) for i in range(0, x.shape[axis], each)], axis))]


OPERATORS: Final[Mapping[str, Rule]] = {
    "ConcatFromSequence": _joined,
    "SequenceAt": _at,
    "SequenceConstruct": lambda call: [tuple(call.inputs)],
    "SequenceEmpty": lambda _: [()],
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
