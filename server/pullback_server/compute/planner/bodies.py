"""The jaxprs inside a jaxpr's equations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def bodies(equation: Any) -> Iterator[Any]:
    """The jaxprs of an equation's bodies, branches and calls; of most equations none."""
    for parameter in equation.params.values():
        for value in parameter if isinstance(parameter, tuple | list) else (parameter,):
            jaxpr = getattr(value, "jaxpr", value)
            if hasattr(jaxpr, "eqns"):
                yield jaxpr
