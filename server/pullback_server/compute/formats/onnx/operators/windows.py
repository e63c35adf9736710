"""How a window moves over the spatial axes: what convolutions and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pullback_server.compute.formats.onnx.call import Call

Pads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A window on the axes behind batch and channel.

    Attributes:
        sizes: Its size on each axis.
        strides: How far it moves on each axis.
        dilations: How far its elements lie apart.
        pads: What is added before and behind.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads

    @property
    def extents(self) -> tuple[int, ...]:
        """How far it reaches on each axis."""
        return extents(self.sizes, self.dilations)


def extents(sizes: Sequence[int], dilations: Sequence[int]) -> tuple[int, ...]:
    """How far a window of these sizes reaches."""
    return tuple((size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True))


def window_of(call: Call, spatial: Sequence[int], sizes: Sequence[int]) -> Window:
    """The window that the attributes of a convolution or pooling describe.

    Args:
        call: The call.
        spatial: The sizes of the spatial axes.
        sizes: The sizes of the window.
    """
    ones = (1,) * len(sizes)
    strides = call.attribute("strides", ones)
    dilations = call.attribute("dilations", ones)
    pads = _pads(call, spatial, extents(sizes, dilations), strides)
    return Window(tuple(sizes), strides, dilations, pads)


def _pads(call: Call, spatial: Sequence[int], reach: Sequence[int], strides: Sequence[int]) -> Pads:
    kind = call.attribute("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        axes = zip(spatial, reach, strides, strict=True)
        totals = [max(0, (-(-size // stride) - 1) * stride + far - size) for size, far, stride in axes]
        return halves(totals, more_behind=kind == "SAME_UPPER")
    if kind == "VALID":
        return ((0, 0),) * len(spatial)
    return paired(call.attribute("pads", (0,) * (2 * len(spatial))))


def halves(totals: Sequence[int], *, more_behind: bool) -> Pads:
    """Each total as two halves, an odd one's larger half behind or before."""
    pairs = [(total // 2, total - total // 2) for total in totals]
    return tuple(pair if more_behind else pair[::-1] for pair in pairs)


def paired(pads: Sequence[int]) -> Pads:
    """ONNX's pads, all before and then all behind, by axis."""
    half = len(pads) // 2
    return tuple(zip(pads[:half], pads[half:], strict=True))
