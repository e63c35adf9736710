"""What rearranges elements, and what tells shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.failures import malformed, unsupported
from pullback_server.compute.formats.onnx.limits import MOST_PIECES
from pullback_server.compute.formats.onnx.values import Fixed

_AXES_ARE_INPUT: Final = 13
_BOUNDS_ARE_INPUT: Final = 10
_PADS_ARE_INPUT: Final = 11
_PAD_MODES: Final = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def _shape(call: Call) -> Fixed:
    shape = call.value(0).shape
    start, end = call.attribute("start", 0), call.attribute("end", None)
    return np.asarray(shape[slice(start, end)], np.int64)


def _size(call: Call) -> Fixed:
    return np.asarray(math.prod(call.value(0).shape), np.int64)


def _reshape(call: Call) -> jax.Array:
    x = call.array(0)
    wanted = call.integers(1, "sizes")
    copied = not call.attribute("allowzero", 0)
    return x.reshape(tuple(x.shape[i] if copied and size == 0 else size for i, size in enumerate(wanted)))


def _flatten(call: Call) -> jax.Array:
    x, axis = call.array(0), call.attribute("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _transpose(call: Call) -> jax.Array:
    return jnp.transpose(call.array(0), call.attribute("perm", None))


def _squeeze(call: Call) -> jax.Array:
    return jnp.squeeze(call.array(0), call.fixed_or_attribute(1, "axes", _AXES_ARE_INPUT))


def _unsqueeze(call: Call) -> jax.Array:
    axes = call.fixed_or_attribute(1, "axes", _AXES_ARE_INPUT)
    if axes is None:
        raise malformed("ONNX's Unsqueeze", "lacks its axes")
    return jnp.expand_dims(call.array(0), axes)


def _concat(call: Call) -> jax.Array:
    return jnp.concatenate(call.arrays(), call.attribute("axis", 1))


def pieces(size: int, parts: int) -> list[int]:
    """Equal sizes that add up to `size`, the last smaller where they do not."""
    each = -(-size // parts)
    return [max(0, min(each, size - each * i)) for i in range(min(parts, MOST_PIECES + 1))]


def cut(x: jax.Array, sizes: Sequence[int], axis: int) -> list[jax.Array]:
    """Consecutive pieces of these sizes along an axis.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if there are too many.
    """
    if len(sizes) > MOST_PIECES:
        why = f"would cut an array into {len(sizes)} pieces, and {MOST_PIECES} are served"
        raise unsupported("Split", why, "use fewer")
    starts = np.cumsum([0, *sizes]).tolist()
    return [lax.slice_in_dim(x, low, high, axis=axis) for low, high in pairwise(starts)]


def _split(call: Call) -> Any:
    x, axis = call.array(0), call.attribute("axis", 0)
    sizes = call.fixed_or_attribute(1, "split", _AXES_ARE_INPUT)
    if sizes is None:
        parts = call.attribute("num_outputs", len(call.node.outputs))
        sizes = tuple(pieces(x.shape[axis], parts))
    return cut(x, sizes, axis)


def _slice(call: Call) -> jax.Array:
    x = call.array(0)
    if call.version < _BOUNDS_ARE_INPUT:
        starts, ends = call.attribute("starts"), call.attribute("ends")
        axes, steps = call.attribute("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
        axes = call.integers(3, "axes") if call.has(3) else tuple(range(len(starts)))
        steps = call.integers(4, "steps") if call.has(4) else (1,) * len(starts)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(*_bounds(start, end, step, x.shape[axis]))
    return x[tuple(index)]


def _bounds(start: int, end: int, step: int, size: int) -> tuple[int, int | None, int]:
    """Python's bounds: what lies before the first element is None, since -1 would be the last one."""
    start, stop, step = slice(start, end, step).indices(size)
    return start, None if stop < 0 else stop, step


def _expand(call: Call) -> jax.Array:
    x = call.array(0)
    return jnp.broadcast_to(x, np.broadcast_shapes(x.shape, call.integers(1, "sizes")))


def _tile(call: Call) -> jax.Array:
    return jnp.tile(call.array(0), call.integers(1, "repeats"))


def _pad(call: Call) -> jax.Array:
    x = call.array(0)
    pads = call.fixed_or_attribute(1, "pads", _PADS_ARE_INPUT) or (0,) * (2 * x.ndim)
    axes = call.integers(3, "axes") if call.has(3) else tuple(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(axes)])
    return _padded(call, x, widths)


def _padded(call: Call, x: jax.Array, widths: list[tuple[int, int]]) -> jax.Array:
    mode = call.attribute("mode", "constant")
    if mode not in _PAD_MODES:
        raise call.refuse(f"has the mode {mode!r}", f"use one of {', '.join(_PAD_MODES)}")
    if mode == "constant":
        if call.version < _PADS_ARE_INPUT:
            value = jnp.asarray(call.attribute("value", 0.0), x.dtype)
        else:
            value = call.array(2).reshape(()) if call.has(2) else jnp.zeros((), x.dtype)
        return lax.pad(x, value.astype(x.dtype), [(low, high, 0) for low, high in widths])
    cropped = x[
        tuple(
            slice(max(0, -low), size - max(0, -high))
            for (low, high), size in zip(widths, x.shape, strict=True)
        )
    ]
    return jnp.pad(cropped, [(max(0, low), max(0, high)) for low, high in widths], mode=mode)


def _depth_to_space(call: Call) -> jax.Array:
    x, block = call.array(0), call.attribute("blocksize")
    batch, depth, height, width = x.shape
    if call.attribute("mode", "DCR") == "DCR":
        parts = x.reshape(batch, block, block, depth // block**2, height, width)
        parts = parts.transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(batch, depth // block**2, block, block, height, width)
        parts = parts.transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(batch, depth // block**2, height * block, width * block)


def _space_to_depth(call: Call) -> jax.Array:
    x, block = call.array(0), call.attribute("blocksize")
    batch, depth, height, width = x.shape
    parts = x.reshape(batch, depth, height // block, block, width // block, block)
    order = (0, 3, 5, 1, 2, 4) if call.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return parts.transpose(order).reshape(batch, depth * block**2, height // block, width // block)


def _trilu(call: Call) -> jax.Array:
    offset = call.integers(1, "the diagonal")[0] if call.has(1) else 0
    function = jnp.triu if call.attribute("upper", 1) else jnp.tril
    return function(call.array(0), offset)


def _reverse_sequence(call: Call) -> jax.Array:
    x, lengths = call.array(0), call.array(1)
    batch, time = call.attribute("batch_axis", 1), call.attribute("time_axis", 0)
    rows = jnp.moveaxis(x, (batch, time), (0, 1))
    steps = jnp.arange(rows.shape[1])
    order = jnp.where(steps < lengths[:, None], lengths[:, None] - 1 - steps, steps)
    turned = jax.vmap(lambda row, places: row[places])(rows, order)
    return jnp.moveaxis(turned, (0, 1), (batch, time))


OPERATORS: Final[Mapping[str, Rule]] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "ReverseSequence": _reverse_sequence,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
}
