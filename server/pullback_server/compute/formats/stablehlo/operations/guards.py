"""What `guarding` puts together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.guarding import GUARDED
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _select_product(_: Operation, __: Scope) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        which, array, factor, otherwise = operands
        # Where the product is discarded, a factor of one keeps infinity out of the derivative.
        kept = lax.select(which, array, jnp.ones_like(array))
        return [lax.select(which, lax.mul(kept, jnp.broadcast_to(factor, array.shape)), otherwise)]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {GUARDED: _select_product}
