"""Convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.windows import Pads, extents, halves, paired, window_of


def _convolution(call: Call) -> jax.Array:
    x, weight = call.array(0), call.array(1)
    window = window_of(call, x.shape[2:], weight.shape[2:])
    product = lax.conv_general_dilated(
        x,
        weight,
        window.strides,
        window.pads,
        rhs_dilation=window.dilations,
        feature_group_count=call.attribute("group", 1),
    )
    return _biased(call, product)


def _biased(call: Call, product: jax.Array) -> jax.Array:
    bias = call.optional(2)
    return product if bias is None else product + per_channel(bias, product.ndim)


def per_channel(x: jax.Array, rank: int) -> jax.Array:
    """One number a channel, for broadcasting with arrays whose axis 1 is that of channels."""
    return x.reshape(-1, *(1,) * (rank - 2))


def _transposed(call: Call) -> jax.Array:
    """The transpose of a convolution: a convolution with gaps between the elements of its input."""
    x, weight = call.array(0), call.array(1)
    sizes = weight.shape[2:]
    ones = (1,) * len(sizes)
    strides, dilations = call.attribute("strides", ones), call.attribute("dilations", ones)
    more = call.attribute("output_padding", (0,) * len(sizes))
    reach = extents(sizes, dilations)
    pads, more = _transposed_pads(call, x.shape[2:], reach, strides, more)
    groups = call.attribute("group", 1)
    axes = zip(reach, pads, more, strict=True)
    product = lax.conv_general_dilated(
        x,
        _turned(weight, groups),
        (1,) * len(sizes),
        [(far - 1 - low, far - 1 - high + extra) for far, (low, high), extra in axes],
        lhs_dilation=strides,
        rhs_dilation=dilations,
        feature_group_count=groups,
    )
    return _biased(call, product)


def _turned(weight: jax.Array, groups: int) -> jax.Array:
    """The kernel for the transpose: turned around, with input and output channels exchanged."""
    incoming, outgoing, *sizes = weight.shape
    parts = weight.reshape(groups, incoming // groups, outgoing, *sizes).swapaxes(1, 2)
    parts = parts.reshape(groups * outgoing, incoming // groups, *sizes)
    return jnp.flip(parts, tuple(range(2, parts.ndim)))


def _transposed_pads(
    call: Call, spatial: Sequence[int], reach: Sequence[int], strides: Sequence[int], more: Sequence[int]
) -> tuple[Pads, Sequence[int]]:
    kind = call.attribute("auto_pad", "NOTSET")
    shape = call.attribute("output_shape", None)
    if shape is None and kind in ("SAME_UPPER", "SAME_LOWER"):
        shape = tuple(size * stride for size, stride in zip(spatial, strides, strict=True))
    if shape is None:
        return paired(call.attribute("pads", (0,) * (2 * len(spatial)))), more
    axes = zip(spatial, strides, reach, more, shape, strict=True)
    totals = [(size - 1) * stride + far + extra - wanted for size, stride, far, extra, wanted in axes]
    # A negative total makes the result larger than the strides alone would.
    grown = [extra - min(0, total) for extra, total in zip(more, totals, strict=True)]
    return halves([max(0, total) for total in totals], more_behind=kind == "SAME_UPPER"), grown


def _column_to_image(call: Call) -> jax.Array:
    """Adds up blocks where they overlap: the transpose of taking blocks out of an image."""
    blocks = call.integers(2, "the block's sizes")
    image = call.integers(1, "the image's sizes")
    window = window_of(call, image, blocks)
    x = call.array(0)
    channels = x.shape[1] // _product(blocks)

    def take_apart(pixels: jax.Array) -> jax.Array:
        patches = lax.conv_general_dilated_patches(
            pixels, window.sizes, window.strides, window.pads, rhs_dilation=window.dilations
        )
        return patches.reshape(x.shape)

    like = jax.ShapeDtypeStruct((x.shape[0], channels, *image), x.dtype)  # type: ignore[no-untyped-call]
    (result,) = jax.linear_transpose(take_apart, like)(x)
    return jnp.asarray(result)


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


OPERATORS: Final[Mapping[str, Rule]] = {
    "Col2Im": _column_to_image,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
}
