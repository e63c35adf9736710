"""Linear solvers of lineax, roots and minima of optimistix, differential equations of diffrax."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

lineax: Any = pytest.importorskip("lineax", reason="install the dependency group ecosystem")
optimistix: Any = pytest.importorskip("optimistix", reason="install the dependency group ecosystem")
diffrax: Any = pytest.importorskip("diffrax", reason="install the dependency group ecosystem")

_A = np.random.default_rng(0).normal(size=(3, 3))
_X = np.array([0.4, 0.7, 0.2])


@pytest.mark.parametrize("solver", ["LU", "CG"])
def test_linear_solver(agree: Any, solver: str) -> None:
    """Direct and iterative: in the matrix and in the right-hand side."""
    tags = lineax.positive_semidefinite_tag
    options = {"rtol": 1e-13, "atol": 1e-13} if solver == "CG" else {}

    def solved(matrix: Any, vector: Any) -> Any:
        operator = lineax.MatrixLinearOperator(matrix @ matrix.T + 3.0 * jnp.eye(3), tags)
        return jnp.sum(lineax.linear_solve(operator, vector, getattr(lineax, solver)(**options)).value ** 2)

    agree(solved, _A, _X)


def test_root(agree: Any) -> None:
    """Newton's method, differentiated implicitly."""
    solver = optimistix.Newton(rtol=1e-10, atol=1e-10)

    def root(x: Any) -> Any:
        return jnp.sum(optimistix.root_find(lambda y, a: y**3 + y - a, solver, jnp.ones(3), x).value)

    agree(root, _X, second=False)


@pytest.mark.slow
def test_least_squares(agree: Any) -> None:
    """The solutions by least squares on the way are not differentiated, the minimum is."""
    solver = optimistix.LevenbergMarquardt(rtol=1e-10, atol=1e-10)

    def fit(x: Any) -> Any:
        residuals = lambda y, a: jnp.concatenate([y - a, 0.1 * jnp.sin(y)])  # noqa: E731 -- one line
        return jnp.sum(optimistix.least_squares(residuals, solver, jnp.ones(3), x).value)

    agree(fit, _X, second=False)


def _field(_: Any, y: Any, p: Any) -> Any:
    """Prey and predators."""
    return jnp.stack([p[0] * y[0] - p[1] * y[0] * y[1], y[0] * y[1] - p[2] * y[1]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("solver", "adjoint"),
    [
        ("Tsit5", "RecursiveCheckpointAdjoint"),
        ("Tsit5", "DirectAdjoint"),
        ("Tsit5", "BacksolveAdjoint"),
        ("Dopri5", "RecursiveCheckpointAdjoint"),
        ("Kvaerno5", "RecursiveCheckpointAdjoint"),
    ],
)
def test_differential_equation(agree: Any, solver: str, adjoint: str) -> None:
    """Steps of adaptive size, in reverse mode by checkpoints, directly, and by solving backwards."""

    def last(x: Any) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(_field),
            getattr(diffrax, solver)(),
            0.0,
            1.0,
            0.1,
            jnp.array([1.0, 0.5]),
            x,
            stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-4),
            adjoint=getattr(diffrax, adjoint)(),
            max_steps=64,
        )
        return jnp.sum(solution.ys)

    agree(last, _X, second=False)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["Tsit5", "Dopri5"])
def test_differential_equation_saved_at_times(agree: Any, solver: str) -> None:
    """A checkpointed loop in a checkpointed loop; in the start, the parameters and the times."""

    def saved(x: Any) -> Any:
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(_field),
            getattr(diffrax, solver)(),
            0.0,
            1.0,
            0.1,
            x["start"],
            x["parameters"],
            saveat=diffrax.SaveAt(ts=x["times"]),
            stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-4),
            max_steps=64,
        )
        return jnp.sum(solution.ys**2)

    parts = {"start": np.array([1.0, 0.5]), "parameters": _X, "times": np.linspace(0.0, 1.0, 5)}
    agree(saved, parts, second=False)
    agree(lambda start: saved({**parts, "start": start}), parts["start"], second=False)
