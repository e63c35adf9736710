"""One operation in a module of its own, with what it has to give."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import numpy as np

from pullback.program.elements import ElementType, element_of

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Case:
    """A module around one operation.

    Attributes:
        operation: The operation, with its dialect.
        body: Lines that define `%r`, or `%r:2` and so on, from the arguments `%a`, `%b` and so on. The type
            of an argument is written `$a`, that of the result `$r`, that of the second one `$r1`.
        inputs: The arguments.
        expected: The results, in their types.
        label: What is special about it.
        rtol: The relative error that rounding explains; 0 where there is nothing to round.
        smooth: Whether its derivatives exist, and are held to differences.
        functions: Further functions of the module.
    """

    operation: str
    body: str
    inputs: tuple[Any, ...]
    expected: tuple[Any, ...]
    label: str = ""
    rtol: float = 0.0
    smooth: bool = False
    functions: str = ""

    def __str__(self) -> str:
        types = ",".join(str(np.asarray(one).dtype) for one in self.inputs[:2])
        return "-".join(part for part in (self.operation, types, self.label) if part)

    @property
    def text(self) -> str:
        """The module."""
        types = dict(zip(ascii_lowercase, map(mlir_type, self.inputs), strict=False))
        arguments = ", ".join(f"%{name}: {kind}" for name, kind in types.items())
        results = list(map(mlir_type, self.expected))
        types |= {"r": results[0], **{f"r{index}": kind for index, kind in enumerate(results)}}
        body = re.sub(r"\$([a-z]\d?)", lambda match: types[match[1]], self.body)
        names = ["%r"] if len(results) == 1 else [f"%r#{index}" for index in range(len(results))]
        return (
            f"func.func @main({arguments}) -> ({', '.join(results)}) {{\n{body}\n"
            f"return {', '.join(names)} : {', '.join(results)}\n}}\n{self.functions}"
        )


def mlir_type(value: Any) -> str:
    """The type of an array in the spelling of MLIR."""
    array = np.asarray(value)
    return f"tensor<{''.join(f'{size}x' for size in array.shape)}{_SPELLINGS[element_of(array.dtype)]}>"


def _spelling(element: ElementType) -> str:
    if element.is_complex:
        return "complex<f32>" if element is ElementType.C64 else "complex<f64>"
    return element.value[:2] + element.value[2:].upper() if element.value[1] in "48" else element.value


_SPELLINGS = {element: _spelling(element) for element in ElementType}
