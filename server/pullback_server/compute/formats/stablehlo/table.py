"""All operations that are served."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pullback_server.compute.formats.stablehlo import composites
from pullback_server.compute.formats.stablehlo.building import Build
from pullback_server.compute.formats.stablehlo.operations import (
    chlo,
    contraction,
    control,
    conversion,
    creation,
    custom_calls,
    dynamic,
    elementwise,
    indexing,
    linear_algebra,
    loops,
    normalization,
    pooling,
    ragged,
    reductions,
    scattering,
    shape,
    sorting,
)

TABLE: Final[Mapping[str, Build]] = MappingProxyType(
    {
        **chlo.BUILDERS,
        **composites.BUILDERS,
        **contraction.BUILDERS,
        **control.BUILDERS,
        **conversion.BUILDERS,
        **creation.BUILDERS,
        **custom_calls.BUILDERS,
        **dynamic.BUILDERS,
        **elementwise.BUILDERS,
        **indexing.BUILDERS,
        **linear_algebra.BUILDERS,
        **loops.BUILDERS,
        **normalization.BUILDERS,
        **pooling.BUILDERS,
        **ragged.BUILDERS,
        **reductions.BUILDERS,
        **scattering.BUILDERS,
        **shape.BUILDERS,
        **sorting.BUILDERS,
    }
)
"""What builds each operation, by its name with its dialect."""
