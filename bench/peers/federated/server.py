"""A server of pytensor-federated, whose function tells by the shape what it is asked for."""

from __future__ import annotations

import asyncio

import grpclib.server
import numpy as np
from pytensor_federated import ArraysToArraysService

from functions import gradient_of, hessians
from peers.ports import free_port
from workload import HEAVY_DIMENSIONS, Floats


def compute(x: Floats) -> list[Floats]:
    """Gradients of points, or Hessians of points of the heavy function."""
    return [np.asarray(hessians(x) if x.shape[-1] == HEAVY_DIMENSIONS else gradient_of(x))]


async def serve() -> None:
    """Serves until the process ends."""
    server = grpclib.server.Server([ArraysToArraysService(compute)])
    port = free_port()
    await server.start("127.0.0.1", port)
    print(port, flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve())
