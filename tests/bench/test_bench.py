"""The bench itself: loops that count, tables that judge, and a tiny run of all parts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import workload
from driving import loops
from driving.cpu import cpu_seconds
from harness.rounds import CANNOT, Measured, Turn
from harness.rows import ROWS, Bar, Entry, Row, Way
from harness.scaling import Line
from harness.table import judge, tables

ROOT = Path(__file__).resolve().parents[2]
INPUTS = list(workload.points(4))


def measured(*seconds: float | None) -> Measured:
    """Rounds with these times."""
    return Measured([None if time is None else Turn(time, 0.001, 0.002) for time in seconds])


def test_a_wrong_gradient_is_refused() -> None:
    """An answer that is off by a little counts for nothing."""
    x = workload.points(3)
    workload.check(workload.gradient(x), x)
    with pytest.raises(ValueError, match="wrong"):
        workload.check(workload.gradient(x) * (1 + 1e-6), x)
    with pytest.raises(ValueError, match="shape"):
        workload.check(workload.gradient(x)[:2], x)


def test_the_workload_by_hand_is_what_jax_gives() -> None:
    """Gradients and Hessians that answers are held against are right."""
    functions = pytest.importorskip("functions")
    x, heavy = workload.points(5), workload.heavy_points(2)
    workload.check(np.asarray(functions.gradients(x)), x)
    workload.check_hessians(np.asarray(functions.hessians(heavy)), heavy)


def test_sequential_calls_are_counted_for_as_long_as_told() -> None:
    """A turn of a twentieth of a second has calls of a hundredth about five times."""

    def slow(x: workload.Floats) -> workload.Floats:
        time.sleep(0.01)
        return workload.gradient(x)

    count = loops.sequential(slow, INPUTS, 0.05, workload.check)
    assert 2 <= count.calls <= 6
    assert count.median >= 0.01
    assert count.seconds >= 0.05


def test_every_thread_and_task_counts() -> None:
    """Calls of all callers are summed, and the failure of one is told."""
    count = loops.threads([workload.gradient] * 3, INPUTS, 0.0, workload.check)
    assert count.calls == 3

    async def call(x: workload.Floats) -> workload.Floats:
        await asyncio.sleep(0)
        return workload.gradient(x)

    assert asyncio.run(loops.tasks([call] * 3, INPUTS, 0.0, workload.check)).calls == 3
    with pytest.raises(ValueError, match="wrong"):
        loops.threads([workload.gradient, np.zeros_like], INPUTS, 0.0, workload.check)


def test_futures_are_kept_in_flight() -> None:
    """As many calls are made at least as may be in flight."""
    with ThreadPoolExecutor(2) as pool:
        count = loops.futures(lambda x: pool.submit(workload.gradient, x), 4, INPUTS, 0.0, workload.check)
    assert count.calls == 4


def test_the_cpu_of_children_counts() -> None:
    """What a child process uses is its parent's, too."""
    command = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command) as child:
        before = cpu_seconds([os.getpid()])
        while cpu_seconds([child.pid]) < 0.05:
            time.sleep(0.02)
        assert cpu_seconds([os.getpid()]) > before
        child.terminate()


def test_ratios_are_taken_within_rounds() -> None:
    """A round in which the machine was slow for all does not count, nor one that only one of them has."""
    mine, its = measured(2.0, 40.0, 2.2), measured(1.0, 20.0, None)
    assert mine.ratio(its) == 2.0
    assert mine.ratio(measured(None, None, None)) is None
    ratios = {"mine": mine, "its": its}
    assert judge(Bar("mine", "its", 1.9, "time"), ratios) == (2.0, False)
    assert judge(Bar("mine", "its", 0.5, "rate"), ratios) == (0.5, True)


def test_a_table_has_what_was_measured() -> None:
    """Failures are told with their reason, and what a contestant cannot do is left out."""
    row = Row(
        "one",
        "one point",
        tuple(Entry(name, Way("one")) for name in ("echo", "pullback", "triton", "philote")),
        (Bar("pullback", "echo", 1.35, "time"), Bar("pullback", "philote", 1.0, "rate")),
    )
    results = {
        "echo": measured(0.001),
        "pullback": measured(0.0013),
        "triton": Measured([None], "it burnt"),
        "philote": Measured([None], CANNOT),
    }
    text = tables([row], {"one": results}, {"umbridge": "no network"})
    assert "| time of Pullback over bare gRPC echo ≤ 1.35 | 1.30 | met |" in text
    assert "| Pullback | 1.30 ms | 769 | 1.30 | 1.00 ms | 2.00 ms |" in text
    assert "failed: it burnt" in text
    assert "Philote" not in text
    assert "UM-Bridge: no network" in text


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_bars_are_about_entries_of_their_row(row: Row) -> None:
    """No bar names somebody who has no turn, and no two entries have one name."""
    keys = [entry.key for entry in row.entries]
    assert len(set(keys)) == len(keys)
    assert {key for bar in row.bars for key in (bar.who, bar.against)} <= set(keys)


def test_lines_are_drawn(tmp_path: Path) -> None:
    """The same lines give the same file, which shows their labels."""
    plots = pytest.importorskip("harness.plots")
    lines = [Line("pullback", "unix", {1: 1e3, 10: 1e4}), Line("echo", "", {1: 2e3})]
    for name in ("first.svg", "second.svg"):
        plots.plot(lines, "title", "axis", tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


@pytest.mark.slow
def test_the_whole_runs() -> None:
    """A tiny run of echo, local JAX and Pullback gives a table without failures."""
    command = [sys.executable, str(ROOT / "bench" / "run.py"), "--quick", "--rounds=1", "--rows=one,batch"]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    assert "failed" not in result.stdout
    assert "Left out" not in result.stdout
    assert "| Pullback, unix |" in result.stdout
