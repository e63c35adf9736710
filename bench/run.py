"""Pullback against a bare gRPC echo of the same bytes and against local JAX: `./dev bench [--record]`."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jax
import numpy as np
from echo import echo
from measure import Measurement, compare
from workload import BATCH, DIMENSIONS, FORMULA, Floats, gradient, points

import pullback

RESULTS = Path(__file__).with_name("RESULTS.md")
BASELINE = "bare grpc.aio echo of the same bytes"


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of each turn")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    report = _report(arguments.rounds, arguments.budget)
    print(report)
    if arguments.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def _report(rounds: int, budget: float) -> str:
    formula = pullback.Formula(FORMULA, x=f"f64[{DIMENSIONS}]")
    with echo() as echoed, pullback.local() as client:
        served = client.register(formula, name="rosenbrock").grad
        one, many = points(1)[0], points(BATCH)
        local = _local()
        for answer in (served(many), local(many)):
            np.testing.assert_allclose(answer, gradient(many), rtol=1e-12, atol=1e-10)
        rows = {
            f"one point, {one.nbytes} B each way": _compare(one, echoed, served, local, rounds, budget),
            f"{BATCH:,} points, {many.nbytes / 1e3:.0f} kB each way": _compare(
                many, echoed, served, local, rounds, budget
            ),
        }
    return _table(rows, rounds, budget)


def _local() -> Callable[[Floats], Floats]:
    def rosenbrock(x: jax.Array) -> jax.Array:
        return jax.numpy.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    one, many = jax.jit(jax.grad(rosenbrock)), jax.jit(jax.vmap(jax.grad(rosenbrock)))
    return lambda x: np.asarray((one if x.ndim == 1 else many)(x))


def _compare(
    x: Floats,
    echoed: Callable[[Floats], Floats],
    served: Callable[[Floats], Floats],
    local: Callable[[Floats], Floats],
    rounds: int,
    budget: float,
) -> dict[str, Measurement]:
    calls = {BASELINE: lambda: echoed(x), "Pullback": lambda: served(x), "local JAX": lambda: local(x)}
    return compare(calls, BASELINE, rounds=rounds, budget=budget)


def _table(rows: dict[str, dict[str, Measurement]], rounds: int, budget: float) -> str:
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d}: gradient of Rosenbrock-{DIMENSIONS}, float64",
        "",
        f"{machine()}; `bench/run.py`, medians of {rounds} interleaved rounds of {budget:g} s.",
        "",
        "| row | what | time | over the echo |",
        "| --- | --- | ---: | ---: |",
    ]
    for row, measurements in rows.items():
        lines += [
            f"| {row} | {what} | {1e3 * measured.seconds:.3f} ms | {measured.ratio:.2f} |"
            for what, measured in measurements.items()
        ]
    return "\n".join(lines)


def machine() -> str:
    """The machine and the versions, for the head of a table."""
    versions = f"Python {platform.python_version()}, JAX {jax.__version__}"
    return f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {versions}"


if __name__ == "__main__":
    main()
