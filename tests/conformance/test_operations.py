"""Each operation of StableHLO and CHLO gives what its specification says, alone, in batches, and derived."""

from __future__ import annotations

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.case import Case
from conformance.catalogue import CASES, POINTWISE
from conformance.lifting import lifted

_BATCHED: Final = 1e-13
# LLVM's part only, which takes most of the time.
_QUICK: Final = {"xla_backend_optimization_level": 1}
_STEP: Final = 1e-6
_TOLERANCE: Final = 1e-6


def _require_equal(actual: Any, expected: Any, rtol: float) -> None:
    for one, other in zip(actual, expected, strict=True):
        left, right = np.asarray(one), np.asarray(other)
        assert left.dtype == right.dtype
        if left.dtype.kind not in "biufc":
            left, right = (
                array.astype(np.float64, copy=False)
                for array in (left.astype(np.float32), right.astype(np.float32))
            )
        np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case: Case) -> None:
    """Equal to what was worked out by hand or by numpy, and at each point of a batch to the point's own."""
    function, point = lifted(case), list(map(jnp.asarray, case.inputs))
    batched = case not in POINTWISE and bool(point)

    def alone_and_in_a_batch(*values: Any) -> Any:
        if not batched:
            return function(*values), [], []
        others = [jnp.flip(value) for value in values]
        batch = [jnp.stack(pair) for pair in zip(values, others, strict=True)]
        outputs = function(*values)
        alone = [jnp.stack(pair) for pair in zip(outputs, function(*others), strict=True)]
        return outputs, alone, jax.vmap(function)(*batch)

    outputs, alone, together = jax.jit(alone_and_in_a_batch, compiler_options=_QUICK)(*point)
    _require_equal(outputs, case.expected, case.rtol)
    _require_equal(together, alone, max(case.rtol, _BATCHED))


@pytest.mark.parametrize("case", [case for case in CASES if case.smooth], ids=str)
def test_derivatives(case: Case) -> None:
    """Forward mode agrees with differences, and reverse mode with forward mode."""
    point, of_floats = _of_floats(case)
    random = np.random.default_rng(7)
    tangents, cotangents = (
        [random.uniform(0.5, 1.0, value.shape).astype(value.dtype) for value in values]
        for values in (point, jax.eval_shape(of_floats, *point))
    )

    def derive(*values: Any) -> Any:
        _, forward = jax.jvp(of_floats, values, tuple(tangents))
        _, pull = jax.vjp(of_floats, *values)
        ahead, behind = (
            of_floats(*(value + step * tangent for value, tangent in zip(values, tangents, strict=True)))
            for step in (_STEP, -_STEP)
        )
        differences = [(one - other) / (2 * _STEP) for one, other in zip(ahead, behind, strict=True)]
        return forward, differences, _product(cotangents, forward), _product(pull(cotangents), tangents)

    forward, differences, from_forward, from_reverse = jax.jit(derive, compiler_options=_QUICK)(*point)
    for one, other in zip(forward, differences, strict=True):
        np.testing.assert_allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE)
    np.testing.assert_allclose(from_reverse, from_forward, rtol=1e-10)


def _of_floats(case: Case) -> tuple[list[Any], Any]:
    """A case as a function of the arguments that have derivatives, to the results that have them."""
    function = lifted(case)
    places = [place for place, value in enumerate(case.inputs) if np.asarray(value).dtype.kind in "fc"]

    def of_floats(*floats: Any) -> Any:
        arguments = list(map(jnp.asarray, case.inputs))
        for place, value in zip(places, floats, strict=True):
            arguments[place] = value
        return [out for out in function(*arguments) if out.dtype.kind in "fc"]

    return [jnp.asarray(case.inputs[place]) for place in places], of_floats


def _product(left: Any, right: Any) -> Any:
    """The bilinear product, as JAX's reverse mode transposes complex numbers too."""
    return sum(jnp.real(jnp.sum(one * other)) for one, other in zip(left, right, strict=True))
