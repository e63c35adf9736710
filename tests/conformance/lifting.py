"""Lifting a case's module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from conformance.case import Case

from pullback.program.container import StableHlo
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import Leaf, TupleNode
from pullback_server.compute.formats.stablehlo.lift import lift


def lifted(case: Case) -> Callable[..., list[Any]]:
    """A case's module as a function of its arguments."""
    results = tuple(map(_type_of, case.expected))
    arguments = tuple(
        Argument(f"x{index}", Leaf(), (_type_of(value),)) for index, value in enumerate(case.inputs)
    )
    signature = Signature(arguments, Result(TupleNode((Leaf(),) * len(results)), results))
    function = lift(StableHlo(case.text.encode()), signature)
    return lambda *values: list(function.forward(values))


def _type_of(value: Any) -> TensorType:
    array = np.asarray(value)
    return TensorType(element_of(array.dtype), array.shape)
