"""Chunks that are answered here, without a server: the sum of squares of f64[3] and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pullback._evaluation.inputs import Inputs
from pullback._evaluation.results import Results, Timing
from pullback._evaluation.tensors import decode
from pullback._mapping.cutting import Chunk
from pullback._mapping.requests import ArrayMap, Course, IteratorMap, over_arrays, over_iterators
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

SIGNATURE = Signature(
    (Argument("x", LEAF, (parse_tensor_type("f64[3]"),)), Argument("y", LEAF, (parse_tensor_type("f64[]"),))),
    Result(LEAF, (parse_tensor_type("f64[]"),)),
)


def course(chunk: int | None = None, **options: Any) -> Course:
    """How a map goes, with the defaults of `Function.map`."""
    given = {"in_flight": 32, "retries": 12, "progress": False, "timeout": None} | options
    return Course(chunk, **given)


@pytest.fixture
def answer() -> Callable[[Chunk], Results]:
    """The results of a chunk: value and gradient of sum(x**2) * y."""

    def compute(chunk: Chunk) -> Results:
        x, y = map(decode, chunk.call.request.arguments)
        values = {"value": np.sum(x**2, axis=-1) * y, "grad": 2 * x * y[..., None]}
        return Results(values, "functions/f/revisions/0", Timing(1.0, 0.0, 0.5))

    return compute


@pytest.fixture
def mapped() -> Callable[..., ArrayMap]:
    """Reads a map over arrays of value and gradient."""

    def read(*args: Any, out: Any = None, chunk: int | None = None, **kwargs: Any) -> ArrayMap:
        inputs = Inputs(args, kwargs)
        return over_arrays("functions/f", SIGNATURE, ["value", "grad"], None, inputs, out, course(chunk))

    return read


@pytest.fixture
def iterated() -> Callable[..., IteratorMap]:
    """Reads a map over iterators of value and gradient."""

    def read(*points: Any, chunk: int | None = None, **shared: Any) -> IteratorMap:
        inputs = Inputs(points, shared)
        return over_iterators("functions/f", SIGNATURE, ["value", "grad"], None, inputs, course(chunk))

    return read
