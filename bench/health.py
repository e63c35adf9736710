"""How soon health is answered while every device is busy: `python bench/health.py [--record]`.

An embedded server is asked for its health over and over, as load balancers do, first while it has nothing to
do, and then while each worker runs a loop without end, for ten seconds. The bar is 50 ms.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import pullback
from harness.machine import load, machine

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)
BAR_MILLISECONDS: Final = 50.0
PAUSE_SECONDS: Final = 0.01
# Counts up to its argument, which an infinite one never lets it reach.
COUNTING: Final = """
func.func public @main(%limit: tensor<f64>) -> tensor<f64> {
  %zero = stablehlo.constant dense<0.0> : tensor<f64>
  %count = stablehlo.while(%i = %zero) : tensor<f64>
    cond {
      %more = stablehlo.compare LT, %i, %limit : (tensor<f64>, tensor<f64>) -> tensor<i1>
      stablehlo.return %more : tensor<i1>
    } do {
      %one = stablehlo.constant dense<1.0> : tensor<f64>
      %next = stablehlo.add %i, %one : tensor<f64>
      stablehlo.return %next : tensor<f64>
    }
  return %count : tensor<f64>
}
"""


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the devices are busy")
    parser.add_argument("--workers", type=int, default=2, help="how many workers the server has")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    options = parser.parse_args()
    with pullback.local(f"cpu:{options.workers}", join=False) as client:
        loops = [_loop(client, number) for number in range(options.workers)]
        rows = {"nothing": _probe(client, options.seconds)}
        with ThreadPoolExecutor(len(loops)) as threads:
            calls = [threads.submit(f, np.inf, timeout=options.seconds + 1) for f in loops]
            time.sleep(0.5)
            rows["loops on every device"] = _probe(client, options.seconds)
            _require_busy(calls)
    report = _table(rows, options)
    print(report)
    if options.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def _loop(client: pullback.Client, number: int) -> pullback.Function:
    """A program of its own, so that those with other numbers go to other workers; compiled everywhere."""
    source = pullback.StableHLO(f"// {number}{COUNTING}")
    function = client.register(source, name=f"count-{number}")
    function.compile()
    assert function(np.float64(3.0)) == 3.0
    return function


def _probe(client: pullback.Client, seconds: float) -> NDArray[np.float64]:
    """The milliseconds that each answer took."""
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        health = client.health(timeout=10)
        taken.append(1e3 * (time.monotonic() - began))
        if health is not pullback.Health.SERVING:
            raise RuntimeError(f"health is {health} after {len(taken)} answers")
        time.sleep(PAUSE_SECONDS)
    return np.array(taken)


def _require_busy(calls: list[Future[Any]]) -> None:
    """Makes sure that no loop has ended before its deadline."""
    if any(call.done() for call in calls):
        raise RuntimeError("a loop has ended while health was asked for")
    if not all(isinstance(call.exception(), pullback.DeadlineExceededError) for call in calls):
        raise RuntimeError("a loop did not end by its deadline")


def _table(rows: dict[str, NDArray[np.float64]], options: argparse.Namespace) -> str:
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d}: health while every device is busy",
        "",
        f"{machine()}, {load()}; `bench/health.py`,",
        f"{options.workers} workers, {options.seconds:g} s each.",
        "",
        "| the server does | answers | median | 90% | 99% | 99.9% | longest | over 50 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        cells = " | ".join(f"{each:.2f} ms" for each in np.percentile(row, PERCENTILES))
        lines.append(f"| {name} | {len(row):,} | {cells} | {int((row > BAR_MILLISECONDS).sum())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
