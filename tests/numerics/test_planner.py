"""Products, diagonals, sparse and mixed derivatives of lifted programs against local JAX."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numerics.cases import Case
from numerics.table import CASES, lifted

from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback_server.compute.compiler.trace import trace
from pullback_server.compute.programs import LoadedProgram
from pullback_server.model.quantities import Mode, Quantity, Want

_DIRECTIONS: Final = 3
_WANTS: Final = {
    "value": Want(Quantity.VALUE),
    "sparse jacobian": Want(Quantity.JACOBIAN, argnums=(0,), sparse=True),
    "reverse over forward": Want(Quantity.HESSIAN, argnums=(0,), modes=(Mode.FORWARD, Mode.REVERSE)),
    "diagonal": Want(Quantity.HESSIAN_DIAG, argnums=(0,)),
    "laplacian": Want(Quantity.LAPLACIAN, argnums=(0,)),
    "gauss-newton": Want(Quantity.GGN_VP, argnums=(0,), directions=_DIRECTIONS),
}


def _is_tried(case: Case) -> bool:
    return case.forward and case.reverse and not case.heavy and not case.is_complex


_TRIED: Final = [name for name, case in CASES.items() if _is_tried(case)][::10]


def _param(number: int, name: str) -> Any:
    speed = [[], [pytest.mark.exhaustive], [pytest.mark.slow], [pytest.mark.exhaustive]][number % 4]
    return pytest.param(name, id=name, marks=speed)


@cache
def _directions(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(_DIRECTIONS, *shape))


def _local(name: str) -> dict[str, list[Any]]:
    """What JAX says of the function where it lives."""
    point = CASES[name].point
    x = jnp.asarray(point[0])

    def function(x: Any) -> Any:
        return CASES[name].function(x, *point[1:])

    def product(v: Any) -> Any:
        return jax.vjp(function, x)[1](jax.jvp(function, (x,), (v,))[1])[0]

    jacobian = jax.jacobian(function)(x)
    rows = int(np.prod(jacobian.shape[: jacobian.ndim - x.ndim]))
    hessian = jax.hessian(function)(x)
    flat = hessian.reshape(rows, x.size, x.size)
    lead = hessian.shape[: hessian.ndim - 2 * x.ndim]
    return {
        "value": [function(x)],
        "sparse jacobian": [jacobian.reshape(rows, x.size)],
        "reverse over forward": [hessian],
        "diagonal": [jnp.diagonal(flat, axis1=1, axis2=2).reshape(*lead, *x.shape)],
        "laplacian": [jnp.trace(flat, axis1=1, axis2=2).reshape(lead)],
        "gauss-newton": [jax.vmap(product)(_directions(x.shape))],
    }


def _planned(name: str) -> dict[str, list[Any]]:
    """What the planner makes of the lifted program, all in one request."""
    point = [np.asarray(part) for part in CASES[name].point]
    result = jax.eval_shape(CASES[name].function, *point)
    types = [TensorType(ElementType.F64, part.shape) for part in (*point, result)]
    arguments = tuple(Argument(f"x{i}", LEAF, (kind,)) for i, kind in enumerate(types[:-1]))
    signature = Signature(arguments, Result(LEAF, (types[-1],)))

    def flat(*leaves: Any) -> list[Any]:
        return [lifted(name, "float64")(*leaves)]

    program = LoadedProgram(flat, lambda: flat, signature, (types[-1],), 0)
    traced = trace(program, tuple(_WANTS.values()))
    results = iter(jax.jit(traced.function)(*traced.constants, *point, _directions(point[0].shape)))
    found = {key: [next(results)] for key in _WANTS}
    ((block,),) = (blocks for blocks in traced.plan.blocks if blocks)
    dense = np.zeros((types[-1].size, types[0].size))
    dense[block.rows, block.columns] = found["sparse jacobian"][0]
    return {**found, "sparse jacobian": [dense]}


@pytest.mark.parametrize("name", [_param(number, name) for number, name in enumerate(_TRIED)])
def test_planned_equals_local(name: str) -> None:
    """Every kind of derivative equals the one that is made of jax.jacobian and jax.hessian."""
    local, planned = _local(name), _planned(name)
    for key in _WANTS:
        for one, other in zip(local[key], planned[key], strict=True):
            scale = max(float(np.max(np.abs(one), initial=0.0)), 1.0)
            error = np.max(np.abs(np.asarray(one) - np.asarray(other)), initial=0.0) / scale
            assert error <= CASES[name].tolerance, (key, error)
