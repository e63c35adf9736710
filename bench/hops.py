"""Where the time of one call goes: `python bench/hops.py [--record]`.

Calls of a single point, one after another, each of which goes further than the one before: to a bare echo, to
the front alone, through the front to a worker, and all of it from the user's own call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from subprocess import PIPE
from typing import Final

import grpc
import numpy as np

import pullback
from echo import echo
from measure import Call, Measurement, compare
from pullback.v1 import evaluation_pb2, tensor_pb2

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS.md"
X: Final = np.linspace(0.1, 0.9, 8)
BASELINE: Final = "bare gRPC echo"


def main() -> None:
    """Measures, prints the table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each call has its turn")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    options = parser.parse_args()
    report = _table(_measured(options.rounds), options.rounds)
    print(report)
    if options.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def _measured(rounds: int) -> Mapping[str, Measurement]:
    with served() as address, pullback.connect(address) as client, echo() as echoed:
        gradient = client.function("rosenbrock").grad
        with grpc.insecure_channel(address) as channel:
            calls = {BASELINE: lambda: echoed(X), **_raw(channel), "the user's own call": lambda: gradient(X)}
            return compare(calls, BASELINE, rounds=rounds, budget=0.4)


@contextmanager
def served() -> Iterator[str]:
    """A server with the workload, until the block ends; gives its address."""
    command = [sys.executable, "-m", "contestants.serve"]
    with subprocess.Popen(command, cwd=HERE, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())["tcp"]
        process.stdin.close()


def _raw(channel: grpc.Channel) -> Mapping[str, Call]:
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    evaluate = channel.unary_unary("/pullback.v1.EvaluationService/Evaluate")
    argument = tensor_pb2.Tensor(element_type="ELEMENT_TYPE_F64", shape=[8], data=X.tobytes())
    request = evaluation_pb2.EvaluateRequest(
        function="functions/rosenbrock",
        wants=[evaluation_pb2.Want(quantity="QUANTITY_GRADIENT", argnums=[0])],
        arguments=[argument],
    ).SerializeToString()
    return {
        "the front alone (health)": lambda: health(b""),
        "front and worker, with bytes that were ready": lambda: evaluate(request),
    }


def _table(measured: Mapping[str, Measurement], rounds: int) -> str:
    machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"
    versions = f"Python {platform.python_version()}, JAX {version('jax')}, grpcio {version('grpcio')}"
    how = f"single points one call after another, medians of {rounds} interleaved rounds"
    lines = (
        f"## {datetime.now(UTC):%Y-%m-%d}: where the time of one call goes\n",
        f"{machine}, {versions}; `bench/hops.py`, {how}.\n",
        "| as far as | time | over the echo |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {each.seconds * 1e6:.0f} µs | {each.ratio:.2f} |" for name, each in measured.items()),
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
