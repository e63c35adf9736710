"""The model of Triton's Python backend: the same jitted JAX functions, on batches made of requests.

Triton runs it in a process of its own and calls it with as many requests as it has joined.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

# Triton's interpreter heeds no PYTHONPATH.
sys.path[:0] = os.environ["BENCH_MODEL_PATH"].split(os.pathsep)

import numpy as np  # noqa: E402 -- it is found only now
import triton_python_backend_utils as backend  # noqa: E402

from functions import gradients, hessians  # noqa: E402
from workload import Floats  # noqa: E402

_FUNCTIONS = {"gradient": gradients, "hessian": hessians}


class TritonPythonModel:
    """What Triton looks for in this file."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Called once, with the model's name among the arguments."""
        self._function = _FUNCTIONS[arguments["model_name"]]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answers requests, whose points are computed together."""
        points = [backend.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        results = self._padded(np.concatenate(points))
        ends = np.cumsum([len(part) for part in points])[:-1]
        return [
            backend.InferenceResponse(output_tensors=[backend.Tensor("y", part)])
            for part in np.split(results, ends)
        ]

    def _padded(self, points: Floats) -> Floats:
        """Small batches are padded to powers of two, since JAX compiles for each size."""
        count = len(points)
        if count > 1024:
            return np.asarray(self._function(points))
        room = np.zeros((1 << (count - 1).bit_length(), points.shape[1]))
        room[:count] = points
        return np.asarray(self._function(room))[:count]
