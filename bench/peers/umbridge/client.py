"""The client of UM-Bridge; a session of its own for each caller would be faster, but is not what it does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import umbridge

from driving.loops import Call, Maker
from peers.ports import wait_until_open
from workload import Floats


def ways(address: str) -> Mapping[str, Maker]:
    """How UM-Bridge can be called."""
    wait_until_open(int(address))
    url = f"http://127.0.0.1:{address}"
    return {
        "one": lambda _: _caller(url, 1, shared=False),
        "batch": lambda count: _caller(url, count, shared=False),
        "batch shared": lambda count: _caller(url, count, shared=True),
    }


def _caller(url: str, count: int, *, shared: bool) -> Call:
    model = umbridge.HTTPModel(url, f"rosenbrock{count}", use_shmem=shared)
    if shared and not model.supports_shmem():
        raise ValueError("client and server found no shared memory")
    ones = [1.0] * count

    def call(x: Floats) -> Floats:
        answer: Floats = np.asarray(model.gradient(0, 0, [x.ravel().tolist()], ones))
        return answer.reshape(x.shape)

    return call
