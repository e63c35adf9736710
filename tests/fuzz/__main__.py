"""Fuzzes a real server: `./dev fuzz --cases 100000 --seed 1 --of all`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from e2e.server.running import Running
from fuzz import callers, keeping, messages, programs
from fuzz.report import Report
from fuzz.seeds.messages import Case
from fuzz.serving import serving

Fuzz = Callable[[Running, int, Sequence[int], Callable[[str], None]], Report]

_RUNS: Final[dict[str, tuple[Callable[[Path], tuple[str, ...]], Fuzz]]] = {
    "messages": (lambda _: messages.FLAGS, messages.fuzz_messages),
    "callers": (callers.flags, callers.fuzz_callers),
    "programs": (lambda _: programs.FLAGS, programs.fuzz_programs),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="how many of each kind (default 10000)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; left out, by chance")
    parser.add_argument("--of", choices=(*_RUNS, "all"), default="all", help="what is mutated (default all)")
    parser.add_argument("--only", type=int, default=None, help="the number of one case, to try it alone")
    parser.add_argument(
        "--keep", action="store_true", help="keep what is found, made small, in tests/fuzz/found"
    )
    return parser.parse_args()


def main() -> None:
    """Fuzzes, and ends with status 1 if anything was wrong."""
    arguments = _arguments()
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed  # noqa: S311 -- no secret
    numbers = range(arguments.cases) if arguments.only is None else range(arguments.only, arguments.only + 1)
    sound = True
    for kind in _RUNS if arguments.of == "all" else (arguments.of,):
        flags, fuzz = _RUNS[kind]
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder), *flags(Path(folder))) as server:
            report = fuzz(server, seed, numbers, _progress)
        print(f"\r\033[K{report}" if sys.stdout.isatty() else report, flush=True)
        if arguments.keep:
            _keep(report, seed)
        sound = sound and report.sound
    raise SystemExit(not sound)


def _progress(line: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="", flush=True)


def _keep(report: Report, seed: int) -> None:
    files = keeping.keep_lethal(seed, report.lethal)
    for found in report.found:
        path = found.path.rpartition(" ")[2]
        files.append(
            keeping.keep(Case(path, found.messages), f"seed {seed}, case {found.number}: {found.fault}")
        )
    for file in files:
        print(f"  kept {file}")


if __name__ == "__main__":
    main()
