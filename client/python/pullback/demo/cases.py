"""The cases of the demo: a function, where it is evaluated, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from pullback.demo import functions
from pullback.demo.data import Classification, breast_cancer, diabetes

Asked = Literal["value", "grad", "jacobian", "hessian"]
SCALAR: Final[tuple[Asked, ...]] = ("value", "grad", "jacobian", "hessian")
VECTOR: Final[tuple[Asked, ...]] = ("value", "jacobian", "hessian")


@dataclass(frozen=True, slots=True)
class Case:
    """One function of the demo.

    Attributes:
        name: The name to register it under.
        title: What it is, for people.
        function: The function, of one argument.
        center: A point to evaluate near: an array, or a dict of arrays.
        spread: How far the points of a batch lie from it.
        asked: What is asked of it.
    """

    name: str
    title: str
    function: Callable[[Any], Any]
    center: Any
    spread: float
    asked: tuple[Asked, ...] = SCALAR

    def points(self, count: int, seed: int = 0) -> Any:
        """A batch of `count` points around the center, always the same for the same seed."""
        random = np.random.default_rng(seed)
        if isinstance(self.center, dict):
            return {key: self._scatter(value, count, random) for key, value in self.center.items()}
        return self._scatter(self.center, count, random)

    def _scatter(self, center: Any, count: int, random: np.random.Generator) -> Any:
        return center + self.spread * random.standard_normal((count, *np.shape(center)))


def cases() -> list[Case]:
    """All functions of the demo, with their data."""
    tumours, patients = breast_cancer(), diabetes(48)
    few = Classification(tumours.features[:, :5], tumours.classes)
    return [
        Case("sin_cos", "sin(x) cos(x)", functions.sin_cos, np.float64(1.0), 1.0),
        Case("rosenbrock", "Rosenbrock, n = 8", functions.rosenbrock, np.zeros(8), 1.0),
        Case(
            "logistic_posterior",
            "logistic regression, 569 x 30",
            functions.logistic_posterior(tumours),
            np.zeros(31),
            0.3,
        ),
        Case(
            "gaussian_process",
            "Gaussian process, n = 48",
            functions.gaussian_process(patients),
            np.array([0.0, 0.0, -0.5]),
            0.2,
        ),
        Case(
            "lotka_volterra_fit",
            "Lotka-Volterra, fit",
            functions.lotka_volterra_fit,
            np.log([0.55, 0.028, 0.80, 0.024]),
            0.02,
        ),
        Case(
            "lotka_volterra_residuals",
            "Lotka-Volterra, residuals",
            functions.lotka_volterra_residuals,
            np.log([0.55, 0.028, 0.80, 0.024]),
            0.02,
            VECTOR,
        ),
        Case(
            "neural_network_loss",
            "neural network, softplus",
            functions.neural_network_loss(few),
            _network(),
            0.5,
        ),
    ]


def _network() -> dict[str, Any]:
    return {"hidden": np.zeros((5, 4)), "bias": np.zeros(4), "output": np.zeros(4)}
