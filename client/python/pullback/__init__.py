"""Pullback: gradients, Jacobians and Hessians of any function, over gRPC.

A façade: every name is loaded from the module that defines it when it is first used, so that
`import pullback.program` or `import pullback.v1` brings in no gRPC, and nothing here brings in JAX.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pullback import aio, errors
    from pullback._credentials import Tls
    from pullback._descriptions import (
        Capabilities,
        Device,
        FunctionDetails,
        Health,
        Limits,
        Revision,
    )
    from pullback._evaluation.results import Results, Timing
    from pullback._evaluation.sparse import Sparse
    from pullback._evaluation.wants import Want
    from pullback._function import Function
    from pullback._sources.formula import Formula
    from pullback._sources.lowered import Exported, StableHLO
    from pullback._sources.onnx import Onnx
    from pullback._sources.torch import Torch
    from pullback.client import Client, connect, local
    from pullback.errors import (
        ConflictError,
        DataLossError,
        DeadlineExceededError,
        InvalidArgumentError,
        LimitExceededError,
        NotFoundError,
        OverloadedError,
        PermissionDeniedError,
        PullbackError,
        ServerError,
        ServerStartError,
        UnavailableError,
    )
    from pullback.graphs.data import Graph
    from pullback.program.container import Program
    from pullback.program.derivatives import DerivativeKind, DerivativeSupport

__version__: Final = "0.1.0"

__all__ = [
    "Capabilities",
    "Client",
    "ConflictError",
    "DataLossError",
    "DeadlineExceededError",
    "DerivativeKind",
    "DerivativeSupport",
    "Device",
    "Exported",
    "Formula",
    "Function",
    "FunctionDetails",
    "Graph",
    "Health",
    "InvalidArgumentError",
    "LimitExceededError",
    "Limits",
    "NotFoundError",
    "Onnx",
    "OverloadedError",
    "PermissionDeniedError",
    "Program",
    "PullbackError",
    "Results",
    "Revision",
    "ServerError",
    "ServerStartError",
    "Sparse",
    "StableHLO",
    "Timing",
    "Tls",
    "Torch",
    "UnavailableError",
    "Want",
    "aio",
    "connect",
    "errors",
    "local",
]

_HOMES: Final = {
    "aio": "pullback.aio",
    "errors": "pullback.errors",
    "connect": "pullback.client",
    "local": "pullback.client",
    "Client": "pullback.client",
    "Function": "pullback._function",
    "Formula": "pullback._sources.formula",
    "Onnx": "pullback._sources.onnx",
    "Tls": "pullback._credentials",
    "Torch": "pullback._sources.torch",
    "StableHLO": "pullback._sources.lowered",
    "Exported": "pullback._sources.lowered",
    "DerivativeKind": "pullback.program.derivatives",
    "DerivativeSupport": "pullback.program.derivatives",
    "Graph": "pullback.graphs.data",
    "Program": "pullback.program.container",
    "Results": "pullback._evaluation.results",
    "Sparse": "pullback._evaluation.sparse",
    "Timing": "pullback._evaluation.results",
    "Want": "pullback._evaluation.wants",
    **dict.fromkeys(
        [
            "Capabilities",
            "Device",
            "FunctionDetails",
            "Health",
            "Limits",
            "Revision",
        ],
        "pullback._descriptions",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pullback' has no attribute {name!r}")
    module = importlib.import_module(_HOMES.get(name, "pullback.errors"))
    return module if module.__name__ == f"pullback.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
