"""The client of Tesseract: the product of ones with the Jacobian is the gradient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tesseract_core import Tesseract

from driving.loops import Call, Maker
from peers.ports import wait_until_open
from workload import Floats


def ways(address: str) -> Mapping[str, Maker]:
    """How Tesseract can be called."""
    wait_until_open(int(address))
    url = f"http://127.0.0.1:{address}"
    return {
        "one": lambda _: _caller(url, np.float64(1.0)),
        "batch": lambda count: _caller(url, np.ones(count)),
    }


def _caller(url: str, ones: np.float64 | Floats) -> Call:
    tesseract = Tesseract.from_url(url)

    def call(x: Floats) -> Floats:
        answer = tesseract.vector_jacobian_product({"x": x}, ["x"], ["y"], {"y": ones})
        gradient: Floats = answer["x"]
        return gradient

    return call
