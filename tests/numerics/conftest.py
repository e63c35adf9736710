"""The tally of the exactness table, printed when pytest ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import pytest


@dataclass
class Tally:
    """What the rows of the table came to."""

    rows: int = 0
    equal: int = 0
    worst: float = 0.0
    worst_row: str = ""

    def add(self, row: str, bit_equal: bool, error: float) -> None:
        """Counts a row."""
        self.rows += 1
        self.equal += bit_equal
        if error > self.worst:
            self.worst, self.worst_row = error, row


_TALLIES = {"float64": Tally(), "float32": Tally()}


@pytest.fixture
def tally() -> dict[str, Tally]:
    """The tallies by element type."""
    return _TALLIES


@pytest.fixture(autouse=True, scope="module")
def _wide_types() -> Iterator[None]:
    """As in a worker, 64-bit types are on."""
    with jax.enable_x64(True):
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals."""
    for dtype, tally in _TALLIES.items():
        if tally.rows:
            terminalreporter.write_line(
                f"exactness {dtype}: {tally.rows} rows, {100 * tally.equal / tally.rows:.1f}% bit-equal, "
                f"largest relative error {tally.worst:.1e} ({tally.worst_row or 'none'})"
            )
