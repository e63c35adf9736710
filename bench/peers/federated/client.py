"""The client of pytensor-federated."""

from __future__ import annotations

from collections.abc import Mapping

from pytensor_federated import ArraysToArraysServiceClient

from driving.loops import AsyncCall, Call, Maker
from workload import Floats


def ways(address: str) -> Mapping[str, Maker]:
    """How pytensor-federated can be called."""
    port = int(address)
    return {
        "one": lambda _: _caller(port),
        "task": lambda _: _awaited(port),
        "batch": lambda _: _caller(port),
        "hessian": lambda _: _caller(port),
    }


def _caller(port: int) -> Call:
    client = ArraysToArraysServiceClient("127.0.0.1", port)

    def call(x: Floats) -> Floats:
        answer: Floats = client.evaluate(x)[0]
        return answer

    return call


async def _awaited(port: int) -> AsyncCall:
    client = ArraysToArraysServiceClient("127.0.0.1", port)

    async def call(x: Floats) -> Floats:
        answer: Floats = (await client.evaluate_async(x))[0]
        return answer

    return call
