"""All cases."""

from __future__ import annotations

from typing import Final

from conformance.catalogue import conversions, elementwise

POINTWISE: Final = elementwise.CASES
CASES: Final = (*elementwise.CASES, *conversions.CASES)
