"""Exporting JAX functions as derivative-faithful StableHLO (docs/stablehlo.md). Needs `pullback[jax]`."""

from pullback.export._api import export
from pullback.export.errors import (
    ExampleError,
    ExportError,
    RuleClosureError,
    TracingError,
    UnsupportedOperationError,
)

__all__ = [
    "ExampleError",
    "ExportError",
    "RuleClosureError",
    "TracingError",
    "UnsupportedOperationError",
    "export",
]
