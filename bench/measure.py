"""Measures fairly on a noisy machine: what is compared takes turns, and ratios are taken within a round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The time of a call, as `compare` or `fastest` takes it.

    Attributes:
        seconds: The time.
        ratio: That time over the baseline's.
    """

    seconds: float
    ratio: float


def compare(
    calls: Mapping[str, Call], baseline: str, *, rounds: int, budget: float
) -> dict[str, Measurement]:
    """Times several calls in turn, and takes medians of each turn's medians, and of the ratios within a turn.

    Args:
        calls: What to time, by name.
        baseline: The name of the call that the others are held against.
        rounds: How often each has its turn.
        budget: How long a turn lasts, in seconds.

    Returns:
        A measurement for each name.
    """
    for call in calls.values():
        call()
    turns = [{name: _median(call, budget) for name, call in calls.items()} for _ in range(rounds)]
    return {
        name: Measurement(
            statistics.median(turn[name] for turn in turns),
            statistics.median(turn[name] / turn[baseline] for turn in turns),
        )
        for name in calls
    }


def fastest(calls: Mapping[str, Call], baseline: str, *, budget: float) -> dict[str, Measurement]:
    """Times several calls in turn, to and fro, and takes the fastest of each.

    For work that has a time of its own, which others on the machine can only prolong.

    Args:
        calls: What to time, by name.
        baseline: The name of the call that the others are held against.
        budget: How long all of it lasts, in seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    end = time.perf_counter() + budget
    while time.perf_counter() < end or not times[baseline]:
        for name in order:
            times[name].append(_seconds(calls[name]))
        order.reverse()
    best = {name: min(taken) for name, taken in times.items()}
    return {name: Measurement(best[name], best[name] / best[baseline]) for name in calls}


def _seconds(call: Call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _median(call: Call, budget: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        times.append(_seconds(call))
    return statistics.median(times)
