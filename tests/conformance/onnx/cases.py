"""ONNX's own node tests, and how one is run here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

from pullback.program.container import Onnx
from pullback_server.compute.formats.onnx.lift import lift
from pullback_server.errors import ServiceError

DEPENDS = "depend on the values of arguments"


@dataclass(frozen=True)
class Case:
    """One of ONNX's tests.

    Attributes:
        name: Its name.
        model: The model.
        data: Inputs and expected outputs.
        rtol: The relative tolerance that ONNX asks for.
        atol: The absolute one.
    """

    name: str
    model: onnx.ModelProto
    data: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float


@cache
def load_cases() -> dict[str, Case]:
    """All node tests by name. ONNX computes them anew, and NumPy warns of some."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = loader.load_model_tests(kind="node")
    return {each.name: Case(each.name, each.model, each.data_sets, each.rtol, each.atol) for each in found}


def run(case: Case) -> None:
    """Runs a case.

    What shapes depend on must be known while a model is read: where a case gives it as an argument, it is
    tried again with all arguments but the first as constants of the model.

    Raises:
        AssertionError: If a result is not as expected.
        ServiceError: If the model is refused.
    """
    for inputs, expected in case.data:
        arrays = [_array(value) for value in inputs]
        try:
            results = _evaluate(case.model, arrays)
        except ServiceError as error:
            if DEPENDS not in str(error):
                raise
            results = _with_constants(case.model, arrays)
        for actual, wanted in zip(results, expected, strict=True):
            _compare(np.asarray(actual), _array(wanted), case)


def _evaluate(model: onnx.ModelProto, arrays: Sequence[Any]) -> list[jax.Array]:
    return jax.jit(lift(Onnx(model.SerializeToString())))(arrays)


def _with_constants(model: onnx.ModelProto, arrays: Sequence[Any]) -> list[jax.Array]:
    """The first input stays an argument unless shapes depend on it, too."""
    try:
        return _evaluate(_fixed(model, arrays, 1), arrays[:1])
    except ServiceError as error:
        if DEPENDS not in str(error):
            raise
        return _evaluate(_fixed(model, arrays, 0), [])


def _fixed(model: onnx.ModelProto, arrays: Sequence[Any], kept: int) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    names = [value.name for value in model.graph.input]
    for name, array in zip(names[kept:], arrays[kept:], strict=True):
        changed.graph.initializer.append(numpy_helper.from_array(array, name))
    return changed


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, list) else np.asarray(value)


def _compare(actual: Any, expected: Any, case: Case) -> None:
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    if expected.dtype.kind in "iub" or "int" in expected.dtype.name:
        np.testing.assert_array_equal(actual, expected)
        return
    rounding = 2e-2 if expected.dtype.itemsize <= np.dtype(np.float16).itemsize else 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(
        actual.astype(wide),
        expected.astype(wide),
        rtol=max(case.rtol, rounding),
        atol=max(case.atol, 2e-6, rounding / 10),
    )
