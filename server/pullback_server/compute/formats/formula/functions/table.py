"""All functions: `name -> Function`, and the groups of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pullback_server.compute.formats.formula.functions import (
    elementwise,
    linear_algebra,
    reductions,
    shapes,
    special,
)
from pullback_server.compute.formats.formula.functions.entry import Function

GROUPS: Final[Mapping[str, tuple[Function, ...]]] = MappingProxyType(
    {
        "Exponentials and logarithms": elementwise.EXPONENTIALS,
        "Powers and roots": elementwise.POWERS,
        "Trigonometry": elementwise.TRIGONOMETRY,
        "Rounding and bounds": elementwise.ROUNDING,
        "Choices": elementwise.CHOICES,
        "Complex numbers": elementwise.COMPLEX,
        "Activations and their kin": elementwise.ACTIVATIONS,
        "Special functions": special.SPECIAL,
        "Reductions": reductions.REDUCTIONS,
        "Along an axis": reductions.ALONG,
        "Products": linear_algebra.PRODUCTS,
        "Matrices": linear_algebra.MATRICES,
        "Building arrays": shapes.BUILDING,
        "Shapes": shapes.SHAPING,
    }
)
FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        name: function
        for group in GROUPS.values()
        for function in group
        for name in (function.name, *function.aliases)
    }
)
FOREIGN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ln": "Write log(x) for the natural logarithm.",
        "mod": "Write a % b for a remainder.",
        "fmod": "Write a % b for a remainder.",
        "fmax": "Write maximum(a, b).",
        "fmin": "Write minimum(a, b).",
        "array": "Write an array literal, such as [1, 2, 3].",
        "asarray": "Write an array literal, such as [1, 2, 3].",
        "range": "Write arange(n).",
        "if_else": "Write where(condition, a, b).",
        "ifelse": "Write where(condition, a, b).",
        "select": "Write where(condition, a, b).",
    }
)
