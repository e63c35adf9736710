"""Operations that combine many elements into one, by any region: over axes, and over windows.

`regions` says what a region does and `combining` applies it; `windows` says where windows lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pullback_server.compute.formats.stablehlo.building import Build
from pullback_server.compute.formats.stablehlo.operations.reductions import axes, windowed

BUILDERS: Final[Mapping[str, Build]] = {**axes.BUILDERS, **windowed.BUILDERS}
