"""All cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from conformance.case import Case
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
CATALOGUES: Final[Mapping[str, Sequence[Case]]] = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (control, conversions, elementwise, indexing, products, reductions, sizes, special)
}
CASES: Final = tuple(chain.from_iterable(CATALOGUES.values()))
