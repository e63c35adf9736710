"""Operations of CHLO, the dialect above StableHLO: those of `jax.scipy.special` above all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.functions import ELEMENTWISE
from pullback_server.compute.formats.stablehlo.operations.elementwise import pointwise
from pullback_server.compute.formats.stablehlo.syntax import Operation

# By CHLO's name: the names of the JAX functions that differ are given.
_NAMES: Final[Mapping[str, str]] = {
    **{
        name: name
        for name in (
            *("acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i1e", "conj", "cosh", "digamma"),
            *("erf", "erf_inv", "erfc", "lgamma", "polygamma", "sinh", "square", "tan", "zeta"),
        )
    },
    "next_after": "nextafter",
}


def _top_k(operation: Operation, _: Scope) -> Emit:
    k = operation.attributes["k"]
    return lambda operands: list(lax.top_k(operands[0], k))


BUILDERS: Final[Mapping[str, Build]] = {
    **{f"chlo.{name}": pointwise(ELEMENTWISE[own]) for name, own in _NAMES.items()},
    "chlo.top_k": _top_k,
}
