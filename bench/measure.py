"""Measures fairly on a noisy machine: what is compared takes turns, and ratios are taken within a round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Medians of several rounds.

    Attributes:
        seconds: The median over the rounds of each round's median time of a call.
        ratio: The median over the rounds of that time over the baseline's in the same round.
    """

    seconds: float
    ratio: float


def compare(
    calls: Mapping[str, Call], baseline: str, *, rounds: int, budget: float
) -> dict[str, Measurement]:
    """Times several calls in turn.

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


def _median(call: Call, budget: float) -> float:
    times: list[float] = []
    end = time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
