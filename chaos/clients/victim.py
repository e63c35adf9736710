"""A client that is killed in mid-stream: it streams, and shares memory, until then."""

from __future__ import annotations

import argparse
import sys
import threading

import numpy as np

import pullback
from chaos.functions import WAVE, WIDTH, Array


def main() -> None:
    """Says a line when the first answers are there, and goes on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    address = parser.parse_args().address
    token = sys.stdin.readline().strip() or None
    points = np.random.default_rng(0).normal(size=(2, 500, WIDTH))
    wide = np.random.default_rng(0).normal(size=(2, 20_000, WIDTH))
    with pullback.connect(address, token=token) as client, client.function(WAVE).stream() as stream:
        stream.hessian(points[0, 0], points[1, 0]).result()
        threading.Thread(target=_evaluate, args=(client.function(WAVE), wide), daemon=True).start()
        print("streaming", flush=True)
        while True:
            stream.hessian(*points)


def _evaluate(function: pullback.Function, points: Array) -> None:
    while True:
        function.evaluate(*points, want=["grad"])


if __name__ == "__main__":
    main()
