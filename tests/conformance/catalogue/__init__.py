"""All cases."""

from __future__ import annotations

from typing import Final

from conformance.catalogue import (
    control,
    conversions,
    elementwise,
    indexing,
    products,
    reductions,
    sizes,
    special,
)

POINTWISE: Final = elementwise.CASES
CASES: Final = (
    *elementwise.CASES,
    *conversions.CASES,
    *indexing.CASES,
    *reductions.CASES,
    *products.CASES,
    *control.CASES,
    *sizes.CASES,
    *special.CASES,
)
