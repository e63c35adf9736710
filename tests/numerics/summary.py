"""The totals of the exactness table, from the reports of its rows. Imports no JAX."""

from __future__ import annotations

from typing import Any

import pytest


def print_totals(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals of the rows, also of those that ran in other processes."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    rows = [dict(report.user_properties) for report in reports if report.when == "call"]
    for dtype in ("float64", "float32", "complex128"):
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
