"""The tally of the exactness table, printed when pytest ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _wide_types() -> Iterator[None]:
    """As in a worker, 64-bit types are on."""
    with jax.enable_x64(True):
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals of the rows, also of those that ran in other processes."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    rows = [dict(report.user_properties) for report in reports if report.when == "call"]
    for dtype in ("float64", "float32"):
        of_dtype = [row for row in rows if row.get("dtype") == dtype]
        if of_dtype:
            terminalreporter.write_line(_summary(dtype, of_dtype))


def _summary(dtype: str, rows: list[dict[str, Any]]) -> str:
    equal = sum(row["bit_equal"] for row in rows)
    worst = max(rows, key=lambda row: row["error"])
    return (
        f"exactness {dtype}: {len(rows)} rows, {100 * equal / len(rows):.1f}% bit-equal, "
        f"largest relative error {worst['error']:.1e} ({worst['row']})"
    )
