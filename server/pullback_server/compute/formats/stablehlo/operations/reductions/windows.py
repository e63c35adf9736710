"""Windows over arrays: how they lie, and their elements side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.syntax import Operation

_Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Windows:
    """Where windows lie, axis by axis.

    Attributes:
        sizes: Elements of a window.
        strides: Steps from window to window.
        padding: What is added before and after; less than zero, what is taken away.
        base_dilation: Steps from one element of the array to the next, after others were put in between.
        window_dilation: Steps from one element of a window to the next.
    """

    sizes: _Sizes
    strides: _Sizes
    padding: tuple[tuple[int, int], ...]
    base_dilation: _Sizes
    window_dilation: _Sizes

    def parameters(self) -> dict[str, Any]:
        """As JAX's `reduce_window` takes them."""
        return {
            "window_dimensions": self.sizes,
            "window_strides": self.strides,
            "padding": self.padding,
            "base_dilation": self.base_dilation,
            "window_dilation": self.window_dilation,
        }

    def running(self, shape: _Sizes) -> tuple[int, bool] | None:
        """The axis along which each window holds all elements up to one, and whether from the end.

        None if the windows are others.
        """
        wide = [axis for axis, size in enumerate(self.sizes) if size != 1]
        steps = {*self.strides, *self.base_dilation, *self.window_dilation}
        if len(wide) != 1 or steps != {1}:
            return None
        (axis,) = wide
        others = {pair for other, pair in enumerate(self.padding) if other != axis}
        before = shape[axis] - 1
        if self.sizes[axis] != shape[axis] or not others <= {(0, 0)}:
            return None
        return {(before, 0): (axis, False), (0, before): (axis, True)}.get(self.padding[axis])

    def gather(self, array: jax.Array, padding: jax.Array) -> jax.Array:
        """The elements of all windows.

        Args:
            array: The array.
            padding: The scalar that stands where there is no element.

        Returns:
            An axis of a window's elements in row-major order, then the axes of the windows.
        """
        configuration = [
            (*pair, step - 1) for pair, step in zip(self.padding, self.base_dilation, strict=True)
        ]
        out = lax.pad(array, padding, configuration)
        for axis, size in reversed(list(enumerate(self.sizes))):
            out = jnp.take(out, self._places(axis, size, out.shape[axis]), axis=axis, mode="clip")
        # Each axis has become two: of the windows' places, and of the elements in a window.
        rank = len(self.sizes)
        out = lax.transpose(out, (*range(1, 2 * rank, 2), *range(0, 2 * rank, 2)))
        return lax.reshape(out, (int(np.prod(self.sizes, dtype=int)), *out.shape[rank:]))

    def _places(self, axis: int, size: int, length: int) -> np.ndarray[Any, Any]:
        step, extent = self.window_dilation[axis], (size - 1) * self.window_dilation[axis] + 1
        count = max((length - extent) // self.strides[axis] + 1, 0)
        firsts = np.arange(count)[:, None] * self.strides[axis]
        places: np.ndarray[Any, Any] = firsts + np.arange(size) * step
        return places


def windows_of(operation: Operation) -> Windows:
    """The windows of an operation."""
    attributes = operation.attributes
    sizes = attributes["window_dimensions"]
    ones = (1,) * len(sizes)
    return Windows(
        sizes=sizes,
        strides=attributes.get("window_strides", ones),
        padding=pairs(attributes.get("padding"), len(sizes)),
        base_dilation=attributes.get("base_dilations", ones),
        window_dilation=attributes.get("window_dilations", ones),
    )


def pairs(value: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """Padding, low and high for each axis; none where it is left out."""
    if value is None:
        return ((0, 0),) * axes
    return tuple((int(low), int(high)) for low, high in np.reshape(value, (axes, 2)))
