"""Resizing: along each axis a product with a matrix that is known while the model is read.

Source: the specification of Resize in ONNX's operator set 19; earlier versions and Upsample are cases of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.failures import unsupported
from pullback_server.compute.formats.onnx.limits import MAX_ELEMENTS
from pullback_server.compute.formats.onnx.values import Fixed

_SCALES_ONLY: Final = 11
_SCALES_ARE_INPUT: Final = 9


@dataclass(frozen=True, slots=True)
class Axis:
    """How one axis is resized.

    Attributes:
        size: Its size before.
        new: Its size after.
        scale: By what it grows; may differ from the quotient of the sizes.
        start: Where the region of interest starts, as a part of the axis.
        end: Where it ends.
    """

    size: int
    new: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def exact(self) -> float:
        """Its size after, before it was rounded down."""
        return self.scale * self.size


Position = Callable[[Axis, Fixed], Fixed]


def _cropped(axis: Axis, places: Fixed) -> Fixed:
    whole = axis.size - 1
    if axis.new > 1:
        step = (axis.end - axis.start) * whole / (axis.new - 1)
        return np.asarray(axis.start * whole + places * step)
    return np.full(places.shape, 0.5 * (axis.start + axis.end) * whole)


def _symmetric(axis: Axis, places: Fixed) -> Fixed:
    adjustment = axis.new / axis.exact
    offset = axis.size / 2 * (1 - adjustment)
    return np.asarray(offset + (places + 0.5) / axis.scale - 0.5)


_POSITIONS: Final[Mapping[str, Position]] = {
    "half_pixel": lambda axis, places: (places + 0.5) / axis.scale - 0.5,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda axis, places: (
        (places + 0.5) / axis.scale - 0.5 if axis.new > 1 else np.zeros(places.shape)
    ),
    "align_corners": lambda axis, places: (
        places * ((axis.size - 1) / (axis.exact - 1)) if axis.new > 1 else np.zeros(places.shape)
    ),
    "asymmetric": lambda axis, places: places / axis.scale,
    "tf_crop_and_resize": _cropped,
    "tf_half_pixel_for_nn": lambda axis, places: (places + 0.5) / axis.scale,
}


def _linear(distance: Fixed) -> Fixed:
    return np.maximum(0.0, 1.0 - np.abs(distance))


def _cubic(a: float) -> Callable[[Fixed], Fixed]:
    """The cubic convolution kernel.

    Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """

    def kernel(distance: Fixed) -> Fixed:
        d = np.abs(distance)
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))  # noqa: PLR2004 -- the kernel's reach

    return kernel


def _interpolation(call: Call, axis: Axis, kernel: Callable[[Fixed], Fixed], reach: int) -> Fixed:
    """The matrix (new, size) of an interpolation with a kernel of this reach."""
    positions = _POSITIONS[_mode(call)](axis, np.arange(axis.new, dtype=np.float64))
    shrink = min(axis.scale, 1.0) if call.attribute("antialias", 0) else 1.0
    width = math.ceil(reach / shrink)
    base = np.floor(positions).astype(np.int64)
    neighbours = base[:, None] + np.arange(-width + 1, width + 1)
    weights = kernel((neighbours - positions[:, None]) * shrink)
    inside = (neighbours >= 0) & (neighbours < axis.size)
    if call.attribute("exclude_outside", 0):
        weights = np.where(inside, weights, 0.0)
    weights = weights / weights.sum(1, keepdims=True)
    return _matrix(axis, np.clip(neighbours, 0, axis.size - 1), weights)


def _matrix(axis: Axis, columns: Fixed, weights: Fixed) -> Fixed:
    if axis.new * axis.size > MAX_ELEMENTS:
        why = f"of an axis of {axis.size} to {axis.new} elements is not served"
        raise unsupported("Resize", why, "use smaller sizes")
    matrix = np.zeros((axis.new, axis.size))
    rows = np.broadcast_to(np.arange(axis.new)[:, None], columns.shape)
    np.add.at(matrix, (rows, columns), weights)
    return matrix


_ROUNDINGS: Final[Mapping[str, Callable[[Fixed], Fixed]]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _nearest(call: Call, axis: Axis) -> Fixed:
    positions = _POSITIONS[_mode(call)](axis, np.arange(axis.new, dtype=np.float64))
    rounding = _ROUNDINGS[call.attribute("nearest_mode", _default_rounding(call))]
    columns = np.clip(rounding(positions).astype(np.int64), 0, axis.size - 1)
    return _matrix(axis, columns[:, None], np.ones((axis.new, 1)))


def _default_rounding(call: Call) -> str:
    return "floor" if call.version < _SCALES_ONLY else "round_prefer_floor"


def _mode(call: Call) -> str:
    default = "asymmetric" if call.version < _SCALES_ONLY else "half_pixel"
    mode: str = call.attribute("coordinate_transformation_mode", default)
    if mode not in _POSITIONS:
        raise call.refuse(f"has the unknown coordinate_transformation_mode {mode!r}")
    return mode


def _resize(call: Call) -> jax.Array:
    x = call.array(0)
    numbers, axes = _axes(call, x.shape)
    result = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    for number, axis in zip(numbers, axes, strict=True):
        result = _along(call, result, number, axis)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        info: Any = jnp.iinfo(x.dtype)  # type: ignore[no-untyped-call]
        result = jnp.clip(jnp.round(result), info.min, info.max)
    return result.astype(x.dtype)


def _along(call: Call, x: jax.Array, number: int, axis: Axis) -> jax.Array:
    if axis == Axis(axis.size, axis.size, 1.0):
        return x
    matrix = _weights(call, axis)
    if call.attribute("mode", "nearest") == "nearest":
        result = jnp.take(x, matrix.argmax(1), axis=number)
    else:
        result = jnp.moveaxis(jnp.tensordot(matrix.astype(x.dtype), x, (1, number)), 0, number)
    return _outside(call, result, number, axis)


def _weights(call: Call, axis: Axis) -> Fixed:
    match call.attribute("mode", "nearest"):
        case "nearest":
            return _nearest(call, axis)
        case "linear" | "bilinear" | "trilinear":
            return _interpolation(call, axis, _linear, 1)
        case "cubic":
            return _interpolation(call, axis, _cubic(call.attribute("cubic_coeff_a", -0.75)), 2)
        case mode:
            raise call.refuse(f"has the unknown mode {mode!r}")


def _outside(call: Call, x: jax.Array, number: int, axis: Axis) -> jax.Array:
    """With cropping, what lies outside of the array has a value of its own."""
    if _mode(call) != "tf_crop_and_resize":
        return x
    positions = _cropped(axis, np.arange(axis.new, dtype=np.float64))
    outside = (positions < 0) | (positions > axis.size - 1)
    shape = [axis.new if i == number else 1 for i in range(x.ndim)]
    return jnp.where(outside.reshape(shape), call.attribute("extrapolation_value", 0.0), x).astype(x.dtype)


def _axes(call: Call, shape: tuple[int, ...]) -> tuple[tuple[int, ...], list[Axis]]:
    numbers = tuple(each % len(shape) for each in call.attribute("axes", range(len(shape))))
    sizes = [shape[number] for number in numbers]
    scales, new = _scales_and_sizes(call, sizes)
    starts, ends = _region(call, len(numbers))
    if _mode(call) == "tf_crop_and_resize" and not _has_sizes(call):
        new = [
            int(size * (end - start) * scale)
            for size, start, end, scale in zip(sizes, starts, ends, scales, strict=True)
        ]
    rows = zip(sizes, new, scales, starts, ends, strict=True)
    return numbers, [Axis(*row) for row in rows]


def _region(call: Call, count: int) -> tuple[list[float], list[float]]:
    if _mode(call) != "tf_crop_and_resize":
        return [0.0] * count, [1.0] * count
    region = [float(each) for each in np.ravel(call.fixed(1, "a region"))]
    return region[:count], region[count:]


def _has_sizes(call: Call) -> bool:
    return call.version >= _SCALES_ONLY and call.has(3)


def _scales_and_sizes(call: Call, sizes: list[int]) -> tuple[list[float], list[int]]:
    if not _has_sizes(call):
        scales = _scales(call)
        return scales, [math.floor(size * scale) for size, scale in zip(sizes, scales, strict=True)]
    wanted = list(call.integers(3, "sizes"))
    scales = [new / size for new, size in zip(wanted, sizes, strict=True)]
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return scales, wanted
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [scale] * len(sizes), [math.floor(scale * size + 0.5) for size in sizes]


def _scales(call: Call) -> list[float]:
    if call.node.operator == "Upsample" and call.version < _SCALES_ARE_INPUT:
        return [float(each) for each in call.attribute("scales")]
    place = 1 if call.version < _SCALES_ONLY else 2
    return [float(each) for each in np.ravel(call.fixed(place, "scales"))]


OPERATORS: Final[Mapping[str, Rule]] = {
    "Resize": _resize,
    "Upsample": _resize,
}
