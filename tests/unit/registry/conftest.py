"""Programs to register, and real directories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pullback.program.container import Formula, Producer, Program
from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback_server.registry.registry import Registry, open_registry


@pytest.fixture
def formula() -> Callable[[str], Program]:
    """Makes a program that a worker has validated."""

    def make(source: str) -> Program:
        x = Argument("x", LEAF, (TensorType(ElementType.F64, (3,)),))
        result = Result(LEAF, (TensorType(ElementType.F64, ()),))
        return Program(Formula(source), Signature((x,), result), Producer("tests", "1", {"jax": "0"}))

    return make


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An open registry in an empty directory."""
    with open_registry(tmp_path) as registry:
        yield registry
