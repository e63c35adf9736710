"""The data of the demo: real, small, and shipped with scikit-learn or printed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Pelts of hares and lynxes, in thousands, that the Hudson's Bay Company bought from 1900 to 1920.
# Source: E. P. Odum, "Fundamentals of Ecology" (1953), after D. A. MacLulich (1937).
HARES: Final = np.array(
    [30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1,
     40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7]
)  # fmt: skip
LYNXES: Final = np.array(
    [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4,
     8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Classification:
    """Cases with a class each.

    Attributes:
        features: f64[n, d], each column with mean 0 and standard deviation 1.
        classes: f64[n] of 0 and 1.
    """

    features: Floats
    classes: Floats


@dataclass(frozen=True, slots=True)
class Regression:
    """Inputs with a target each.

    Attributes:
        inputs: f64[n], with mean 0 and standard deviation 1.
        targets: f64[n], likewise.
    """

    inputs: Floats
    targets: Floats


def breast_cancer() -> Classification:
    """569 tumours with 30 features each, benign or malignant (Wisconsin diagnostic data set)."""
    data = _datasets().load_breast_cancer()
    return Classification(_standardised(data.data), data.target.astype(np.float64))


def diabetes(cases: int) -> Regression:
    """The first `cases` patients: body mass index and progression of the disease after a year."""
    data = _datasets().load_diabetes()
    body_mass_index = data.feature_names.index("bmi")
    return Regression(_standardised(data.data[:cases, body_mass_index]), _standardised(data.target[:cases]))


def _datasets() -> Any:
    try:
        from sklearn import datasets  # noqa: PLC0415 -- only the demo needs scikit-learn
    except ModuleNotFoundError as error:
        raise SystemExit("The demo's data come with scikit-learn: pip install 'pullback[demo]'") from error
    return datasets


def _standardised(values: Floats) -> Floats:
    result: Floats = (values - values.mean(axis=0)) / values.std(axis=0)
    return result
