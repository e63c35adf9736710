"""The demo's functions through the real server, every derivative, against local JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback
from pullback.demo.cases import Case, cases

Transformed = Callable[..., Any]
POINTS: Final = {"point": None, "batch of 1": 1, "batch of 1000": 1000}
TOLERANCES: Final = {"float64": 1e-12, "float32": 1e-5}
NAMES: Final = [
    "sin_cos",
    "rosenbrock",
    "logistic_posterior",
    "gaussian_process",
    "lotka_volterra_fit",
    "lotka_volterra_residuals",
    "neural_network_loss",
]
VECTOR_VALUED: Final = {"lotka_volterra_residuals"}
COTANGENT: Final = 0.75
# A thousand times 27 directions through matrices of 48 x 48: gigabytes, and minutes.
TOO_LARGE: Final = ("gaussian_process", "third", "batch of 1000")
SMALL: Final = {"sin_cos", "gaussian_process", "lotka_volterra_fit"}


@dataclass(frozen=True)
class Kind:
    """A derivative: how to ask the server for it, and JAX.

    Attributes:
        served: From a registered function, a point and a direction.
        local: From a JAX function, to a function of a point and a direction.
        scalar_only: Whether it needs a scalar result.
    """

    served: Callable[[pullback.Function, Any, Any], Any]
    local: Callable[[Transformed], Transformed]
    scalar_only: bool = False


def _hvp(function: Transformed) -> Transformed:
    return lambda x, v: jax.jvp(jax.grad(function), (x,), (v,))[1]


def _pulled_back(function: Transformed) -> Transformed:
    def pull(x: Any, v: Any) -> Any:
        del v
        value, vjp = jax.vjp(function, x)
        return value, vjp(jnp.full_like(value, COTANGENT))

    return pull


def _serve_vjp(function: pullback.Function, x: Any, v: Any) -> Any:
    del v
    value = function(x)
    return function.vjp((x,), np.full_like(value, COTANGENT))


def _third(function: Transformed) -> Transformed:
    return lambda x, v: jax.jacfwd(jax.jacfwd(jax.jacrev(function)))(x)


KINDS: Final = {
    "value": Kind(lambda f, x, v: f(x), lambda f: lambda x, v: f(x)),
    "grad": Kind(lambda f, x, v: f.grad(x), lambda f: lambda x, v: jax.grad(f)(x), scalar_only=True),
    "value_and_grad": Kind(
        lambda f, x, v: f.value_and_grad(x), lambda f: lambda x, v: jax.value_and_grad(f)(x), scalar_only=True
    ),
    "jacobian": Kind(lambda f, x, v: f.jacobian(x), lambda f: lambda x, v: jax.jacobian(f)(x)),
    "jacfwd": Kind(lambda f, x, v: f.jacfwd(x), lambda f: lambda x, v: jax.jacfwd(f)(x)),
    "jacrev": Kind(lambda f, x, v: f.jacrev(x), lambda f: lambda x, v: jax.jacrev(f)(x)),
    "hessian": Kind(lambda f, x, v: f.hessian(x), lambda f: lambda x, v: jax.hessian(f)(x)),
    "jvp": Kind(lambda f, x, v: f.jvp((x,), (v,)), lambda f: lambda x, v: jax.jvp(f, (x,), (v,))),
    "vjp": Kind(_serve_vjp, _pulled_back),
    "hvp": Kind(lambda f, x, v: f.hvp((x,), (v,)), _hvp, scalar_only=True),
    "third": Kind(lambda f, x, v: f.derivative(x, order=3), _third),
}


USUAL: Final = {"value", "grad", "hessian"}
# A batch of those takes long to compile, or to compute, here and there.
LONG: Final = {"gaussian_process", "lotka_volterra_fit", "lotka_volterra_residuals"}


def _rows() -> Iterator[Any]:
    for name in NAMES:
        for kind in KINDS:
            if (KINDS[kind].scalar_only and name in VECTOR_VALUED) or (kind == "third" and name not in SMALL):
                continue
            for points in POINTS:
                if (name, kind, points) == TOO_LARGE:
                    continue
                for dtype in TOLERANCES:
                    # A function is registered and its data are made once in each process.
                    marks = [pytest.mark.xdist_group(name), *_speed(name, kind, points, dtype)]
                    yield pytest.param(name, kind, points, dtype, marks=marks)


def _speed(name: str, kind: str, points: str, dtype: str) -> list[pytest.MarkDecorator]:
    match dtype, points, kind in USUAL:
        case "float64", "point" | "batch of 1", True:
            return []
        case "float64", "point", _:
            return [pytest.mark.slow]
        case ("float64", "batch of 1000", _) | ("float32", "batch of 1000", True) if name not in LONG:
            return [pytest.mark.slow]
        case "float64", "batch of 1000", True if kind != "hessian":
            return [pytest.mark.slow]
    return [pytest.mark.exhaustive]


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """JAX as a user of this precision has it."""
    with jax.enable_x64(dtype == "float64"):
        yield


@cache
def case_of(name: str, dtype: str) -> Case:
    """The case with its data in this precision."""
    with precision(dtype):
        return next(case for case in cases() if case.name == name)


@pytest.fixture(scope="module")
def served(client: pullback.Client) -> Callable[[str, str], pullback.Function]:
    """Registers each function once in each precision."""

    @cache
    def register(name: str, dtype: str) -> pullback.Function:
        case = case_of(name, dtype)
        with precision(dtype):
            return client.register(case.function, _cast(case.center, dtype), name=f"{name}.{dtype}")

    return register


def _cast(tree: Any, dtype: str) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype), tree)


def _points(case: Case, count: int | None, dtype: str, seed: int) -> Any:
    batch = case.points(count or 1, seed)
    return _cast(batch if count else jax.tree.map(lambda leaf: leaf[0], batch), dtype)


@pytest.mark.parametrize(("name", "kind", "points", "dtype"), list(_rows()))
def test_equals_local_jax(
    served: Callable[[str, str], pullback.Function], name: str, kind: str, points: str, dtype: str
) -> None:
    """What the server answers is what JAX gives here, in structure, shape, dtype and numbers."""
    case, count = case_of(name, dtype), POINTS[points]
    x, v = _points(case, count, dtype, seed=1), _points(case, count, dtype, seed=2)
    actual = KINDS[kind].served(served(name, dtype), x, v)
    with precision(dtype):
        local = KINDS[kind].local(case.function)
        expected = jax.jit(jax.vmap(local) if count else local)(x, v)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        _assert_close(left, np.asarray(right), TOLERANCES[dtype])


def _assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    scale = np.max(np.abs(expected), initial=np.finfo(expected.dtype).tiny)
    assert np.max(np.abs(actual - expected), initial=0.0) <= tolerance * scale


def test_the_tutorial_s_gradient(client: pullback.Client) -> None:
    """The gradient of sin(x) cos(x) at 1 is cos 2."""
    f = client.register(lambda x: jnp.sin(x) * jnp.cos(x), np.float64(1.0), name="tutorial")
    assert abs(float(f.grad(1.0)) - np.cos(2.0)) <= 2e-16
