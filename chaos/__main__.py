"""Chaos: clients at work, faults one after another, and nobody may notice: `./dev chaos --minutes 10`."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from chaos.faults import FAULTS
from chaos.run import Plan, run


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="for how long there are faults (default 10)")
    add("--every", type=float, default=5.0, help="seconds from fault to fault (default 5)")
    add("--clients", type=int, default=32, help="how many, of 4 tenants (default 32)")
    add("--pause", type=float, default=0.15, help="seconds between a client's calls (default 0.15)")
    add("--seed", type=int, default=None, help="repeats what is left to chance")
    add("--faults", default=",".join(FAULTS), help="which, with commas between (default all: %(default)s)")
    given = parser.parse_args()
    faults = tuple(given.faults.split(","))
    if unknown := set(faults) - set(FAULTS):
        parser.error(f"there are no faults {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    seed = random.randrange(1 << 31) if given.seed is None else given.seed  # noqa: S311 -- no secret
    return Plan(given.minutes * 60, given.every, given.clients, given.pause, seed, faults)


def main() -> None:
    """Runs, reports, and ends with status 1 if anybody noticed."""
    plan = _plan()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and leave nothing behind
    with tempfile.TemporaryDirectory(prefix="pullback-chaos-") as folder:
        outcome = run(plan, Path(folder))
    for line in outcome.lines:
        print(line)
    for violation in outcome.violations:
        print(f"VIOLATION: {violation}")
    print(f"{len(outcome.violations)} violations" if outcome.violations else "nobody noticed")
    raise SystemExit(bool(outcome.violations))


if __name__ == "__main__":
    main()
