"""Values between the places of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from pullback_server.compute.formats.onnx.call import Call, Rule

_CUBIC: Final = -0.75


def _grid_sample(call: Call) -> jax.Array:
    """Samples an array (N, C, spatial ...) at places (N, places ..., number of spatial axes)."""
    x, grid = call.array(0), call.array(1)
    aligned = bool(call.attribute("align_corners", 0))
    # Coordinates come from the last spatial axis to the first, each from -1 to 1.
    scaled = [_unscaled(grid[..., -1 - i], size, aligned) for i, size in enumerate(x.shape[2:])]
    sample = _SAMPLERS[call.attribute("mode", "linear")]
    pad = call.attribute("padding_mode", "zeros")

    def one(image: jax.Array, places: Sequence[jax.Array]) -> jax.Array:
        return sample(_reader(image, pad, aligned), places, image.shape[1:], pad, aligned)

    return jax.vmap(one)(x, scaled).astype(x.dtype)


def _unscaled(places: jax.Array, size: int, aligned: bool) -> jax.Array:
    if aligned:
        return (places + 1) / 2 * (size - 1)
    return ((places + 1) * size - 1) / 2


def _reader(image: jax.Array, pad: str, aligned: bool) -> Callable[[Sequence[jax.Array]], jax.Array]:
    """Reads (C, ...) at whole places, outside as the padding says."""

    def read(places: Sequence[jax.Array]) -> jax.Array:
        sizes = image.shape[1:]
        axes = list(zip(places, sizes, strict=True))
        if pad == "reflection":
            axes = [(_reflected(place, size, aligned), size) for place, size in axes]
        clipped = [jnp.clip(jnp.round(place), 0, size - 1).astype(jnp.int64) for place, size in axes]
        values = image[(slice(None), *clipped)]
        if pad != "zeros":
            return values
        inside = jnp.ones(places[0].shape, bool)
        for place, size in axes:
            inside &= (place >= 0) & (place <= size - 1)
        return jnp.where(inside, values, jnp.zeros((), image.dtype))

    return read


def _reflected(place: jax.Array, size: int, aligned: bool) -> jax.Array:
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    length = high - low
    if length <= 0:
        return jnp.zeros_like(place)
    away = jnp.abs(place - low)
    turns, rest = jnp.floor(away / length), jnp.mod(away, length)
    return jnp.where(turns % 2 == 0, rest + low, high - rest)


def _bounded(place: jax.Array, size: int, pad: str, aligned: bool) -> jax.Array:
    if pad == "border":
        return jnp.clip(place, 0, size - 1)
    return jnp.clip(_reflected(place, size, aligned), 0, size - 1) if pad == "reflection" else place


def _nearest(read: Any, places: Sequence[jax.Array], sizes: Any, pad: str, aligned: bool) -> jax.Array:
    bounded = [_bounded(place, size, pad, aligned) for place, size in zip(places, sizes, strict=True)]
    values: jax.Array = read([jnp.round(place) for place in bounded])
    return values


def _linear(read: Any, places: Sequence[jax.Array], sizes: Any, pad: str, aligned: bool) -> jax.Array:
    bounded = [_bounded(place, size, pad, aligned) for place, size in zip(places, sizes, strict=True)]
    lows = [jnp.floor(place) for place in bounded]
    parts = [(1 - (place - low), place - low) for place, low in zip(bounded, lows, strict=True)]
    return _combined(read, lows, parts, (0, 1))


def _cubic(read: Any, places: Sequence[jax.Array], sizes: Any, pad: str, aligned: bool) -> jax.Array:
    del sizes, pad, aligned  # the padding is that of what is read
    lows = [jnp.floor(place) for place in places]
    parts = [_cubic_weights(place - low) for place, low in zip(places, lows, strict=True)]
    return _combined(read, lows, parts, (-1, 0, 1, 2))


def _cubic_weights(part: jax.Array) -> tuple[jax.Array, ...]:
    def near(d: jax.Array) -> jax.Array:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: jax.Array) -> jax.Array:
        return ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC

    return far(part + 1), near(part), near(1 - part), far(2 - part)


def _combined(
    read: Any, lows: Sequence[jax.Array], parts: Sequence[Sequence[jax.Array]], offsets: Sequence[int]
) -> jax.Array:
    total: Any = 0
    for choice in itertools.product(range(len(offsets)), repeat=len(lows)):
        weight: Any = 1
        for axis, place in enumerate(choice):
            weight = weight * parts[axis][place]
        total += weight * read([low + offsets[place] for low, place in zip(lows, choice, strict=True)])
    return jnp.asarray(total)


_SAMPLERS: Final[Mapping[str, Callable[..., jax.Array]]] = {
    "nearest": _nearest,
    "linear": _linear,
    "bilinear": _linear,
    "cubic": _cubic,
    "bicubic": _cubic,
}

OPERATORS: Final[Mapping[str, Rule]] = {"GridSample": _grid_sample}
