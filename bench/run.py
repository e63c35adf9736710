"""Everything side by side: `./dev bench [--quick] [--record]`; README.md tells what and how."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Container
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from harness.contestants import CONTESTANTS, SOURCES
from harness.machine import load, machine
from harness.rounds import Field, Report, measure
from harness.rows import ROWS
from harness.scaling import BATCHES, CALLERS, CROWDS, SIZES, measure_lines
from harness.table import tables

BENCH: Final = Path(__file__).parent
RESULTS: Final = BENCH / "RESULTS.md"
_OWN: Final = tuple(name for name, contestant in CONTESTANTS.items() if not contestant.peer)
_PEERS: Final = tuple(name for name, contestant in CONTESTANTS.items() if contestant.peer)
# Measurements that need servers of their own; each is a program that prints a table.
_OTHERS: Final = {"isolation": ("isolation.py",), "memory": ("front_memory.py", "--minutes", "1")}
_OTHERS_SECONDS: Final = 300


def main() -> None:
    """Measures, prints the tables, and with --record appends them to RESULTS.md."""
    arguments = _arguments()
    began = time.monotonic()

    def report(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", flush=True)

    parts = [_compared(arguments, report)]
    parts += [_other(name, report) for name in arguments.others]
    text = "\n\n".join(parts)
    print(f"\n{text}")
    if arguments.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{text}\n")
    report(load())


def _compared(arguments: argparse.Namespace, report: Report) -> str:
    rows = [ROWS[key] for key in arguments.rows]
    head = _head(arguments.rounds)
    with ExitStack() as until:
        field = Field((*_OWN, *arguments.peers), until, report)
        results = measure(field, rows, arguments.rounds, arguments.shorten, report)
        if arguments.plots:
            _plot(field, arguments.shorten, arguments.plots, report)
    return "\n\n".join([head, tables(rows, results, field.absent)])


def _head(rounds: int) -> str:
    return (
        f"## {datetime.now(UTC):%Y-%m-%d}: everything side by side\n\n"
        f"{machine()}, {load()}; `./dev bench`, medians of {rounds} interleaved rounds, ratios within a "
        "round; CPU seconds of all processes of a side, for each call."
    )


def _plot(field: Field, shorten: float, folder: Path, report: Report) -> None:
    from harness.plots import plot  # noqa: PLC0415 -- the library that draws is needed for nothing else

    folder.mkdir(parents=True, exist_ok=True)
    batches = measure_lines(field, BATCHES, SIZES, 0.5 * shorten, report)
    plot(batches, "Gradients in batches", "points in a batch", folder / "batches.svg")
    crowds = measure_lines(field, CROWDS, CALLERS, shorten, report)
    plot(crowds, "Gradients of single points, by callers", "callers at the same time", folder / "callers.svg")


def _other(name: str, report: Report) -> str:
    """What another measurement prints, or why it failed: the rest is recorded all the same."""
    report(name)
    command = [sys.executable, *_OTHERS[name]]
    try:
        result = subprocess.run(
            command,
            cwd=BENCH,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES))},
            check=True,
            capture_output=True,
            text=True,
            timeout=_OTHERS_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"## {name}\n\nIt took longer than {_OTHERS_SECONDS} s."
    except subprocess.CalledProcessError as error:
        return f"## {name}\n\nIt failed: {' '.join(error.stderr.split())[-500:]}"
    return result.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--rows", type=_names(ROWS), default=tuple(ROWS), help=f"of {','.join(ROWS)}")
    parser.add_argument("--peers", type=_names(_PEERS), help=f"of {','.join(_PEERS)}, or none")
    parser.add_argument("--others", type=_names(_OTHERS), help=f"of {','.join(_OTHERS)}, or none")
    parser.add_argument("--rounds", type=int, help="how often each has its turn; 5, or 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="short turns, without peers, others and plots")
    parser.add_argument("--plots", type=Path, help="draw how throughput scales into this folder")
    parser.add_argument(
        "--record", action="store_true", help="append to bench/RESULTS.md, and draw into plots/"
    )
    arguments = parser.parse_args()
    arguments.shorten = 0.3 if arguments.quick else 1.0
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    if arguments.peers is None:
        arguments.peers = () if arguments.quick else _PEERS
    if arguments.others is None:
        arguments.others = () if arguments.quick else tuple(_OTHERS)
    if arguments.plots is None and arguments.record:
        arguments.plots = BENCH / "plots"
    return arguments


def _names(known: Container[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads names with commas between; `none` is none."""

    def read(text: str) -> tuple[str, ...]:
        names = () if text == "none" else tuple(text.split(","))
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name}")
        return names

    return read


if __name__ == "__main__":
    main()
