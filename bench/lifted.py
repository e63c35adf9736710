"""Lifted code against the JAX functions that it came from: `./dev bench lifted [--record]`.

Both run as `jit(vmap(grad(f)))` in this process; the lifted one went through the exporter and back. Tracing
is everything before compilation, with JAX's caches empty: for the lifted one, reading its modules as well.
Instructions are those of the compiled module: where they are equally many, times that differ are noise.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.stages import Compiled

from harness.machine import machine
from lifted_functions import Floats, Subject, subjects
from measure import Measurement, fastest
from pullback.export import export
from pullback.precautions import take_precautions
from pullback.program.container import Program, StableHlo
from pullback_server.compute.formats.stablehlo.lift import lift

RESULTS = Path(__file__).with_name("RESULTS.md")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.-]+ = ", re.MULTILINE)


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=5.0, help="seconds of each measurement")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    parser.add_argument("--only", choices=tuple(subjects()), action="append", help="functions to measure")
    arguments = parser.parse_args()
    # Threads of LAPACK that wait for each other measure what else the machine does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    take_precautions()
    jax.config.update("jax_enable_x64", True)
    rows = [
        _row(name, subject, arguments.budget)
        for name, subject in subjects().items()
        if arguments.only is None or name in arguments.only
    ]
    report = "\n".join([*_head(arguments.budget), *rows])
    print(report)
    if arguments.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def _head(budget: float) -> list[str]:
    return [
        f"## {datetime.now(UTC):%Y-%m-%d}: `jit(vmap(grad(f)))`, lifted against native, float64",
        "",
        f"{machine()}; `bench/lifted.py`: the fastest of calls that took turns for {budget:g} s,",
        "while others used the machine as well.",
        "",
        "| function | points | instructions | native | lifted | ratio | tracing: native | lifted | ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]


def _row(name: str, subject: Subject, budget: float) -> str:
    program = export(subject.function, subject.points()[0])
    points = subject.points()
    native, lifted = _compiled(subject.function, points), _compiled(_read(program), points)
    np.testing.assert_allclose(lifted(points), native(points), rtol=1e-9, atol=1e-12)
    calls = {name: _call(run, points) for name, run in (("native", native), ("lifted", lifted))}
    running = fastest(calls, "native", budget=budget)
    tracing = fastest(_traces(subject, program, points), "native", budget=budget)
    instructions = " / ".join(str(_instructions(run)) for run in (native, lifted))
    return f"| {name} | {subject.batch:,} | {instructions} | {_cells(running)} | {_cells(tracing)} |"


def _cells(measured: dict[str, Measurement]) -> str:
    times = (f"{1e3 * measured[name].seconds:.3f} ms" for name in ("native", "lifted"))
    return " | ".join((*times, f"{measured['lifted'].ratio:.2f}"))


def _read(program: Program) -> Callable[[Any], Any]:
    assert isinstance(program.body, StableHlo)
    lifted = lift(program.body, program.signature)
    arrays = [program.attachments[constant.digest] for constant in program.body.constants]
    assert not arrays, "none of the functions has constants large enough to travel apart"
    return lambda x: lifted.reverse([x])[0]


def _transformed(function: Callable[[Any], Any]) -> Any:
    return jax.jit(jax.vmap(jax.grad(function)))


def _compiled(function: Callable[[Any], Any], points: Floats) -> Compiled:
    compiled: Compiled = _transformed(function).lower(points).compile()
    return compiled


def _call(run: Compiled, points: Floats) -> Callable[[], object]:
    return lambda: jax.block_until_ready(run(points))


def _instructions(run: Compiled) -> int:
    return len(_INSTRUCTION.findall(run.as_text() or ""))


def _traces(subject: Subject, program: Program, points: Floats) -> dict[str, Callable[[], object]]:
    def native() -> object:
        jax.clear_caches()
        return _transformed(subject.function).lower(points)

    def lifted() -> object:
        jax.clear_caches()
        return _transformed(_read(program)).lower(points)

    return {"native": native, "lifted": lifted}


if __name__ == "__main__":
    main()
