"""Functions as the registry would give them, and requests for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pullback.program.container import Producer
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import structure_of
from pullback.program.wire import element_to_wire
from pullback.v1 import tensor_pb2
from pullback_server.model.functions import Function, Registered, Revision
from pullback_server.services.requests.limits import Limits

DIGEST = "ab" * 32


@pytest.fixture
def limits() -> Limits:
    """Small limits."""
    return Limits(
        message_bytes=10_000,
        program_bytes=1000,
        result_bytes=10_000,
        constant_bytes=1000,
        program_constant_bytes=1500,
        inputs=8,
        derivative_order=3,
        batch=20,
        in_flight=4,
        in_flight_per_stream=2,
    )


@pytest.fixture
def registered() -> Callable[..., Registered]:
    """Makes a function of a result and arguments, given as trees of tensor types as text."""

    def make(result: Any, **arguments: Any) -> Registered:
        revision = Revision(DIGEST, "cd" * 32, "stablehlo", 1.5)
        named = tuple(Argument(name, *typed(tree)) for name, tree in arguments.items())
        signature = Signature(named, Result(*typed(result)))
        return Registered(Function("f", (revision,), DIGEST), revision, signature, Producer())

    return make


def typed(tree: Any) -> tuple[Any, tuple[TensorType, ...]]:
    """The structure and the types of a tree of texts."""
    structure, leaves = structure_of(tree)
    return structure, tuple(map(parse_tensor_type, leaves))


@pytest.fixture
def tensor() -> Callable[..., tensor_pb2.Tensor]:
    """Makes the message of zeros of a shape, with changes."""

    def make(*shape: int, dtype: str = "float64", **changes: Any) -> tensor_pb2.Tensor:
        array = np.zeros(shape, dtype)
        fields = {
            "element_type": element_to_wire(element_of(array.dtype)),
            "shape": shape,
            "data": array.tobytes(),
            **changes,
        }
        return tensor_pb2.Tensor(**fields)

    return make
