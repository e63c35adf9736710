"""One function of the table, with a point to differentiate it at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A function of arrays, differentiable with respect to all of them.

    Attributes:
        name: Its name in the table.
        function: The function; gives one array.
        point: Its arguments, as float64 or complex128.
        forward: Whether JAX has its forward mode.
        reverse: Whether JAX has its reverse mode.
        third: Whether the table has its third derivative.
        heavy: Whether its derivatives take long to compile.
        tolerance: The largest relative error in float64 that is no more than rounding.
    """

    name: str
    function: Callable[..., Any]
    point: tuple[np.ndarray[Any, Any], ...]
    forward: bool = True
    reverse: bool = True
    third: bool = True
    heavy: bool = False
    tolerance: float = 1e-12

    @property
    def is_complex(self) -> bool:
        """Whether its arguments are complex."""
        return any(np.iscomplexobj(part) for part in self.point)


def case(name: str, function: Callable[..., Any], *point: Any, **options: Any) -> Case:
    """A case at a point given as nested lists."""
    return Case(name, function, tuple(np.asarray(part, float) for part in point), **options)


def complex_case(name: str, function: Callable[..., Any], *point: Any, **options: Any) -> Case:
    """A case at a complex point: the table has it in complex128."""
    parts = tuple(np.asarray(part, complex) for part in point)
    return Case(name, function, parts, third=False, **options)
