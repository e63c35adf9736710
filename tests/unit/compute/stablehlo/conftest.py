"""Lifting modules that are written as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
import pytest

from pullback.program.container import StableHlo
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import Leaf, TupleNode
from pullback_server.compute.formats.stablehlo.lift import lift

Lift = Callable[..., Callable[..., list[np.ndarray[Any, Any]]]]


@pytest.fixture(autouse=True)
def _wide_types() -> Iterator[None]:
    """As in a worker, 64-bit types are on."""
    with jax.enable_x64(True):
        yield


def signature_of(arguments: Sequence[str], results: Sequence[str]) -> Signature:
    """A signature of types like `f64[3]`; the results are a tuple."""
    types: tuple[TensorType, ...] = tuple(map(parse_tensor_type, results))
    return Signature(
        tuple(Argument(f"x{i}", Leaf(), (parse_tensor_type(text),)) for i, text in enumerate(arguments)),
        Result(TupleNode((Leaf(),) * len(types)), types),
    )


@pytest.fixture
def lift_text() -> Lift:
    """Lifts the text of a module, and of further modules, with argument and result types like `f64[3]`."""

    def lift_text(
        text: str, arguments: Sequence[str], results: Sequence[str], modules: Sequence[str] = ()
    ) -> Callable[..., list[np.ndarray[Any, Any]]]:
        body = StableHlo(text.encode(), tuple(module.encode() for module in modules))
        function = lift(body, signature_of(arguments, results))
        return lambda *values: [np.asarray(out) for out in function(values)]

    return lift_text
