"""A server of UM-Bridge, with a model for one point, and one for each size of batch that is asked for.

UM-Bridge has no batches: the model of a batch takes all points as one input and gives all values, so that the
product of its Jacobian, which is block diagonal, with ones is all gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import umbridge

from functions import gradient_of, rosenbrock
from peers.ports import free_port
from workload import BATCH, DIMENSIONS, LARGE

SIZES = (1, 10, 100, 1_000, BATCH, 100_000, LARGE, 1_000_000)


class Rosenbrock(umbridge.Model):  # type: ignore[misc] # umbridge has no types
    """The Rosenbrock function of so many points.

    Args:
        points: The number of points.
    """

    def __init__(self, points: int) -> None:
        super().__init__(f"rosenbrock{points}")
        self._points = points

    def get_input_sizes(self, config: Any) -> list[int]:
        """One input with all coordinates."""
        del config
        return [DIMENSIONS * self._points]

    def get_output_sizes(self, config: Any) -> list[int]:
        """One output with all values."""
        del config
        return [self._points]

    def gradient(
        self, out_wrt: int, in_wrt: int, parameters: Any, sensitivities: Any, config: Any
    ) -> list[float]:
        """The transposed Jacobian times the sensitivities."""
        del out_wrt, in_wrt, config
        points = np.asarray(parameters[0]).reshape(self._points, DIMENSIONS)
        gradients = gradient_of(points[0] if self._points == 1 else points)
        result: list[float] = (np.asarray(gradients) * np.asarray(sensitivities)[:, None]).ravel().tolist()
        return result

    def __call__(self, parameters: Any, config: Any) -> list[list[float]]:
        """The values."""
        del config
        points = np.asarray(parameters[0]).reshape(self._points, DIMENSIONS)
        return [[float(rosenbrock(point)) for point in points]]

    def supports_evaluate(self) -> bool:
        """It has values."""
        return True

    def supports_gradient(self) -> bool:
        """It has gradients."""
        return True


if __name__ == "__main__":
    port = free_port()
    print(port, flush=True)
    umbridge.serve_models([Rosenbrock(points) for points in SIZES], port)
