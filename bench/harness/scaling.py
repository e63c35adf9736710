"""How throughput grows with the size of a batch, and with the number of callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.processes import ContestantError
from harness.rounds import Field, Report
from harness.rows import Way

SIZES: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
CALLERS: Final = (1, 4, 16, 64, 256)
_LONGEST_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot.

    Attributes:
        contestant: Whom it shows.
        label: What else its legend says.
        way: The way for a number of points or callers.
    """

    contestant: str
    label: str
    way: Callable[[int], Way]


@dataclass(frozen=True, slots=True)
class Line:
    """A line, measured: points per second at sizes or callers."""

    contestant: str
    label: str
    rates: Mapping[int, float]


def _batch(points: int) -> Way:
    return Way("batch", points=points)


def _threads(callers: int) -> Way:
    return Way("one", "threads", callers, min(callers, 2))


_PEERS: Final = ("triton", "federated", "umbridge", "tesseract", "philote")

BATCHES: Final = (
    *(Series(who, "", _batch) for who in ("echo", "local", "pullback", *_PEERS)),
    Series("pullback", "unix", lambda points: Way("batch unix", points=points)),
    Series("triton", "shared memory", lambda points: Way("batch shared", points=points)),
)
CROWDS: Final = (
    *(
        Series(who, "", _threads)
        for who in ("echo", "pullback", "triton", "umbridge", "tesseract", "philote")
    ),
    Series("federated", "", lambda callers: Way("task", "tasks", callers, min(callers, 2))),
    Series("pullback", "one stream", lambda callers: Way("stream", "tasks", callers)),
    Series("pullback", "joined", lambda callers: Way("joined threads", "threads", callers)),
)


def measure_lines(
    field: Field, series: Sequence[Series], sizes: Sequence[int], seconds: float, report: Report
) -> list[Line]:
    """Measures each line from its smallest size upwards, until a call takes too long or fails."""
    lines = []
    for one in series:
        if one.contestant in field.names:
            report(f"scaling: {one.contestant} {one.label}")
            lines.append(Line(one.contestant, one.label, dict(_rates(field, one, sizes, seconds))))
    return lines


def _rates(field: Field, series: Series, sizes: Sequence[int], seconds: float) -> list[tuple[int, float]]:
    rates: list[tuple[int, float]] = []
    for size in sizes:
        way = series.way(size)
        try:
            turn = field.turn(series.contestant, way, seconds)
        except ContestantError:
            break
        rates.append((size, way.points / turn.seconds))
        # The next is ten times as much.
        if way.name.startswith("batch") and turn.seconds * 10 > 2 * _LONGEST_SECONDS:
            break
    return rates
