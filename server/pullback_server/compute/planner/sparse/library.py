"""asdex (https://github.com/adrhill/asdex), which detects and colours patterns: loaded when first needed.

Its import takes half a second, since it compiles its colouring with numba, and few functions need it.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple


class _ClosedJaxpr(NamedTuple):
    """A jaxpr with its constants, as asdex makes and reads it."""

    jaxpr: Any
    consts: Any


def asdex() -> Any:
    """The library."""
    library = _loaded()
    # That a dense derivative has a dense pattern is no mistake here.
    warnings.filterwarnings("ignore", category=library.DenseColoringWarning)
    return library


@cache
def _loaded() -> Any:
    with _closed_jaxpr():
        return importlib.import_module("asdex")


@contextmanager
def _closed_jaxpr() -> Iterator[None]:
    """Gives JAX 0.12 the name that asdex, up to 0.5.2, imports from it.

    JAX 0.12 has one class for jaxprs with and without constants; asdex holds the two beside each other in a
    pair of its own, and this is that pair.
    """
    core = importlib.import_module("jax._src.core")
    if hasattr(core, "ClosedJaxpr"):
        yield
        return
    core.ClosedJaxpr = _ClosedJaxpr  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del core.ClosedJaxpr
