"""Starts a server of Pullback as anybody would, registers the workload, and prints where it listens."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import numpy as np

import pullback
from functions import heavy, rosenbrock
from workload import BATCH, DIMENSIONS, HEAVY_BATCH, HEAVY_DIMENSIONS, LARGE

_ANNOUNCEMENT = "pullback: listening on "
_SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 1_000, BATCH, 100_000, LARGE, 1_000_000)


def main() -> None:
    """Serves until this process is told to end."""
    with tempfile.TemporaryDirectory(prefix="pullback-bench-") as folder:
        options = ["--listen", f"127.0.0.1:0,unix:{folder}/socket", "--data-dir", f"{folder}/data"]
        command = [sys.executable, "-m", "pullback_server", *options, "--log-level", "WARNING"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                tcp, unix = server.stdout.readline().removeprefix(_ANNOUNCEMENT).strip().split(",")
                _register(tcp)
                print(json.dumps({"tcp": tcp, "unix": unix}), flush=True)
                sys.stdin.read()
            finally:
                server.terminate()


def _register(address: str) -> None:
    """Registers the functions and compiles them ahead, as one does for a service."""
    with pullback.connect(address) as client:
        gradient = client.register(rosenbrock, np.zeros(DIMENSIONS), name="rosenbrock")
        gradient.compile(["grad"])
        for points in _SIZES:
            gradient.compile(["grad"], batch=points)
        hessian = client.register(heavy, np.zeros(HEAVY_DIMENSIONS), name="heavy")
        hessian.compile(["hessian"], batch=HEAVY_BATCH)


if __name__ == "__main__":
    main()
