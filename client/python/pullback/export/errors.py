"""Why a function could not be exported.

ExportError                    (a ValueError)
├── ExampleError               an example does not say what type an argument has
├── TracingError               JAX could not trace the function
│   └── RuleClosureError       a derivative rule uses a traced value that is not among its arguments
└── UnsupportedOperationError  the function does what cannot be served: effects, callbacks, collectives
"""

from __future__ import annotations


class ExportError(ValueError):
    """A function could not be exported."""


class ExampleError(ExportError):
    """An example does not say what type an argument has."""


class TracingError(ExportError):
    """JAX could not trace the function."""


class RuleClosureError(TracingError):
    """A derivative rule uses a traced value that is not among its arguments."""


class UnsupportedOperationError(ExportError):
    """The function does what cannot be served: effects, callbacks, collectives."""
