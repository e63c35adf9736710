"""Servers of Philote, one for each size of batch, since a server has one discipline and its shapes are fixed.

Philote has neither batches nor products with Jacobians: the discipline of a batch is the sum of all values,
whose derivative is all gradients.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import philote_mdo.general as philote

from functions import gradient_of
from workload import BATCH, DIMENSIONS, LARGE

SIZES = (1, 10, 100, 1_000, BATCH, 100_000, LARGE, 1_000_000)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Rosenbrock(philote.ExplicitDiscipline):  # type: ignore[misc] # philote_mdo has no types
    """The sum of the Rosenbrock function over so many points.

    Args:
        points: The number of points.
    """

    def __init__(self, points: int) -> None:
        super().__init__()
        self._points = points

    def setup(self) -> None:
        """Declares inputs and outputs."""
        self.add_input("x", shape=(DIMENSIONS * self._points,), units="")
        self.add_output("f", shape=(1,), units="")

    def setup_partials(self) -> None:
        """Declares derivatives."""
        self.declare_partials("f", "x")

    def compute_partials(self, inputs: Any, partials: Any) -> None:
        """Writes the gradients."""
        points = inputs["x"].reshape(self._points, DIMENSIONS)
        partials["f", "x"] = np.asarray(gradient_of(points[0] if self._points == 1 else points)).ravel()


def serve(points: int) -> tuple[grpc.Server, int]:
    """Starts a server for so many points, and gives its port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=_UNLIMITED)
    philote.ExplicitServer(discipline=Rosenbrock(points)).attach_to_server(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


if __name__ == "__main__":
    servers = {points: serve(points) for points in SIZES}
    print(json.dumps({points: port for points, (_, port) in servers.items()}), flush=True)
    servers[1][0].wait_for_termination()
