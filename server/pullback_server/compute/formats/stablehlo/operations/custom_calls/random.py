"""Random numbers from keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jax.extend.random import threefry2x32_p

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import BuildCall, Call


def _threefry(call: Call) -> Emit:
    call.require_operands(*[None] * 4)

    draw: Callable[..., Arrays] = threefry2x32_p.bind

    def emit(operands: Arrays) -> Arrays:
        return list(draw(*operands))

    return emit


BUILDERS: Final[Mapping[str, BuildCall]] = dict.fromkeys(
    ("cu_threefry2x32_ffi", "hip_threefry2x32_ffi", "oneapi_threefry2x32_ffi"), _threefry
)
