"""A running client beside others' new shapes: `python bench/isolation.py [--record]`.

One client, a process of its own, asks for the same gradient over and over. Others register networks that the
server has not seen and ask for their Hessians, some at a time, each of which takes seconds to trace and to
compile. What this adds to the running client's 99th percentile is the figure; the bar is 10 ms.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

import pullback
from pullback.program.container import Program

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
FORMULA: Final = "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)"
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)
WIDTH: Final = 24

Samples = NDArray[np.float64]


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the quiet time lasts")
    parser.add_argument("--programs", type=int, default=8, help="how many new programs there are")
    parser.add_argument("--layers", type=int, default=6, help="how many layers the first has; others more")
    parser.add_argument("--at-a-time", type=int, default=2, help="how many clients bring them")
    parser.add_argument("--devices", default="cpu:1", help="what the server computes on")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    parser.add_argument("--run", nargs=2, metavar=("ADDRESS", "FILE"), help="be the running client")
    options = parser.parse_args()
    if options.run:
        run_until_told(*options.run)
        return
    report = _report(options)
    print(report)
    if options.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def run_until_told(address: str, file: str) -> None:
    """The running client: calls until its standard input ends, then writes when each call began and took."""
    taken: list[tuple[float, float]] = []
    with pullback.connect(address) as client:
        gradient = client.register(pullback.Formula(FORMULA, x="f64[8]"), name="rosenbrock").grad
        x = np.linspace(-1.0, 1.0, 8)
        gradient(x)
        print("running", flush=True)
        os.set_blocking(sys.stdin.fileno(), False)
        while sys.stdin.buffer.raw.read(1) is None:  # type: ignore[union-attr]
            began = time.monotonic()
            gradient(x)
            taken.append((began, time.monotonic() - began))
    np.save(file, np.array(taken))


def network(layers: int) -> Program:
    """f64[24] -> f64[]: a network of so many layers, as a program."""
    # What is measured is the server, so the client has traced its functions before.
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    from pullback.export import export  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    draws = np.random.default_rng(layers).normal(size=(layers, WIDTH, WIDTH)) / WIDTH**0.5

    def function(x: jax.Array) -> jax.Array:
        for weights in draws:
            x = jnp.tanh(weights @ x) + jax.nn.gelu(x)
        return jax.scipy.special.logsumexp(x)

    return export(function, np.ones(WIDTH))


def _report(options: argparse.Namespace) -> str:
    programs = [network(options.layers + number) for number in range(options.programs)]
    with tempfile.TemporaryDirectory() as folder, _server(folder, options.devices) as address:
        file = Path(folder) / "taken.npy"
        command = [sys.executable, __file__, "--run", address, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            began = time.monotonic()
            time.sleep(options.seconds)
            busy = time.monotonic()
            firsts = _bring(address, programs, options.at_a_time)
            ended = time.monotonic()
            running.communicate(timeout=60)
        taken = np.load(file)
    rows = {"nothing else": _between(taken, began, busy), "compiling": _between(taken, busy, ended)}
    return _table(rows, firsts, options)


def _bring(address: str, programs: list[Program], at_a_time: int) -> list[float]:
    """Has the Hessian of each program evaluated, and gives the seconds that each first call took."""

    def first(numbered: tuple[int, Program]) -> float:
        number, program = numbered
        points = np.ones((16, WIDTH))
        began = time.monotonic()
        client.register(program, name=f"network-{number}").hessian(points)
        return time.monotonic() - began

    with pullback.connect(address, timeout=600) as client, ThreadPoolExecutor(at_a_time) as threads:
        return list(threads.map(first, enumerate(programs)))


@contextmanager
def _server(folder: str, devices: str) -> Iterator[str]:
    command = [sys.executable, "-m", "pullback_server", "--listen=127.0.0.1:0", "--log-level=warning"]
    with subprocess.Popen(
        [*command, f"--devices={devices}", f"--data-dir={folder}/data", "--exit-with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _between(taken: Samples, began: float, ended: float) -> Samples:
    """The milliseconds of the calls that began between two times."""
    inside = (taken[:, 0] >= began) & (taken[:, 0] < ended)
    return np.asarray(1e3 * taken[inside, 1])


def _table(rows: dict[str, Samples], firsts: list[float], options: argparse.Namespace) -> str:
    quiet, busy = (np.percentile(row, 99) for row in rows.values())
    machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores"
    versions = f"Python {platform.python_version()}, JAX {version('jax')}"
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d}: one running client beside new shapes of others",
        "",
        f"{machine}, {versions}; `bench/isolation.py`,",
        f"devices {options.devices}. {len(firsts)} Hessians of networks of {options.layers} layers and more,",
        f"{options.at_a_time} at a time; first calls took {min(firsts):.1f} to {max(firsts):.1f} s.",
        "",
        "| the server does besides | calls | median | 90% | 99% | 99.9% | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        cells = " | ".join(f"{each:.2f} ms" for each in np.percentile(row, PERCENTILES))
        lines.append(f"| {name} | {len(row):,} | {cells} |")
    return "\n".join([*lines, "", f"Added to the 99th percentile: {busy - quiet:.2f} ms; the bar is 10 ms."])


if __name__ == "__main__":
    main()
