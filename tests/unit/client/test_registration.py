"""From what a user registers to the messages that register it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pullback
from pullback._registration import prepare
from pullback._sources.program import to_program
from pullback.errors import InvalidArgumentError
from pullback.program.container import Program, StableHlo
from pullback.program.digest import digest
from pullback.program.errors import MalformedProgramError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_from_bytes, program_from_wire

F64 = parse_tensor_type("f64[3]")
FORMULA = pullback.Formula("sum(x**2) * y", x=F64, y="f64[]")


def large(size: int) -> Program:
    """A program of about `size` bytes."""
    signature = Signature((Argument("x", LEAF, (F64,)),), Result(LEAF, (F64,)))
    return Program(StableHlo(bytes(size)), signature)


def test_a_formula_is_a_program() -> None:
    """Its arguments stand in the order of the call; its result is the server's to find."""
    signature = FORMULA.program.signature
    assert [(argument.name, *argument.leaves) for argument in signature.arguments] == [
        ("x", F64),
        ("y", parse_tensor_type("f64[]")),
    ]
    assert signature.result is None
    assert FORMULA.program.producer.version == pullback.__version__


def test_a_type_that_is_none() -> None:
    """Refused where the formula is made."""
    with pytest.raises(MalformedProgramError, match="write it like"):
        pullback.Formula("x", x="f64(8)")


def test_a_small_program_travels_in_the_request() -> None:
    """With its name, labels and description."""
    made = prepare(FORMULA, (), name="f", labels={"a": "b"}, description="text")
    assert (made.request.name, dict(made.request.labels), made.request.description) == (
        "functions/f",
        {"a": "b"},
        "text",
    )
    assert program_from_wire(made.request.program) == FORMULA.program
    assert list(made.chunks()) == []


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 5_000_000])
def test_a_large_program_is_uploaded_first(size: int) -> None:
    """In chunks that put together are the program; the request has its digest."""
    program = large(size)
    made = prepare(program, (), name="f", labels={}, description="")
    chunks = list(made.chunks())
    assert made.request.program_digest == chunks[0].digest == digest(program)
    assert not any(chunk.digest or chunk.size_bytes for chunk in chunks[1:])
    data = b"".join(chunk.chunk for chunk in chunks)
    assert chunks[0].size_bytes == len(data)
    assert max(len(chunk.chunk) for chunk in chunks) <= 1 << 20
    assert program_from_bytes(data) == program


def test_a_name_from_the_digest() -> None:
    """What has no name of its own is named by its content."""
    made = prepare(FORMULA, (), name=None, labels={}, description="")
    assert made.request.name == f"functions/program-{digest(FORMULA.program)[:12]}"


@pytest.mark.parametrize(
    ("source", "examples", "message"),
    [
        (FORMULA, (np.zeros(3),), "only for Python functions"),
        (large(1), (np.zeros(3),), "only for Python functions"),
        ("sum(x)", (), "a str cannot be registered"),
    ],
)
def test_what_cannot_be_registered(source: Any, examples: tuple[Any, ...], message: str) -> None:
    """Refused with what could."""
    with pytest.raises(InvalidArgumentError, match=message):
        to_program(source, examples)


def test_a_python_function_is_traced_here() -> None:
    """It becomes StableHLO with the names and types of its arguments."""
    program = to_program(lambda x: x * math.pi, (np.zeros(3),))
    assert isinstance(program.body, StableHlo)
    assert [(argument.name, *argument.leaves) for argument in program.signature.arguments] == [("x", F64)]


def test_a_bound_of_trips_goes_with_the_program() -> None:
    """It is part of the program, and so of its digest."""
    made = prepare(FORMULA, (), name="f", labels={}, description="", max_trips=40)
    assert program_from_wire(made.request.program) == replace(FORMULA.program, max_trips=40)
    assert made.digest != digest(FORMULA.program)


@pytest.mark.parametrize("trips", [0, -1, 2**31])
def test_bounds_that_are_none(trips: int) -> None:
    """A loop that is bounded makes a trip at least."""
    with pytest.raises(pullback.InvalidArgumentError, match=f"max_trips is {trips}"):
        prepare(FORMULA, (), name="f", labels={}, description="", max_trips=trips)
