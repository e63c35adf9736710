"""The loops that call a contestant for some seconds, and count."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from workload import Floats

Call = Callable[[Floats], Floats]
AsyncCall = Callable[[Floats], Awaitable[Floats]]
Submit = Callable[[Floats], "Future[Floats]"]
Maker = Callable[[int], Any]
Check = Callable[[Floats, Floats], None]

# Slow calls are made as often as this, unless they take as many turns.
_FEWEST = 3
_LONGEST = 4.0


@dataclass(frozen=True, slots=True)
class Count:
    """How many calls were made.

    Attributes:
        calls: The number.
        seconds: How long all of it took.
        median: How long a call took, in the middle; in seconds.
    """

    calls: int
    seconds: float
    median: float


def sequential(call: Call, inputs: Sequence[Floats], seconds: float, check: Check) -> Count:
    """Calls again and again; the last answer is checked."""
    times: list[float] = []
    began = now = time.perf_counter()
    answer, x = None, inputs[0]
    while _goes_on(len(times), now - began, seconds):
        x = inputs[len(times) % len(inputs)]
        before = now
        answer = call(x)
        now = time.perf_counter()
        times.append(now - before)
    assert answer is not None
    check(answer, x)
    return Count(len(times), now - began, statistics.median(times))


def threads(calls: Sequence[Call], inputs: Sequence[Floats], seconds: float, check: Check) -> Count:
    """Calls from a thread for each of the calls; the last answer of each is checked."""
    counts: list[Count] = []
    failures: list[Exception] = []
    together = threading.Barrier(len(calls))

    def work(number: int) -> None:
        own = [*inputs[number:], *inputs[:number]]
        try:
            together.wait()
            counts.append(sequential(calls[number], own, seconds, check))
        except Exception as failure:  # noqa: BLE001 -- told below, by the thread that waits for this one
            failures.append(failure)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(calls))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for failure in failures:
        raise failure
    return _together(counts)


async def tasks(calls: Sequence[AsyncCall], inputs: Sequence[Floats], seconds: float, check: Check) -> Count:
    """Calls from a task for each of the calls; the last answer of each is checked."""

    async def work(number: int) -> Count:
        call, times = calls[number], list[float]()
        began = now = time.perf_counter()
        answer, x = None, inputs[number]
        while _goes_on(len(times), now - began, seconds):
            x = inputs[(number + len(times)) % len(inputs)]
            before = now
            answer = await call(x)
            now = time.perf_counter()
            times.append(now - before)
        assert answer is not None
        check(answer, x)
        return Count(len(times), now - began, statistics.median(times))

    return _together(await asyncio.gather(*(work(number) for number in range(len(calls)))))


def futures(submit: Submit, in_flight: int, inputs: Sequence[Floats], seconds: float, check: Check) -> Count:
    """Keeps so many calls in flight, in order; the last answer is checked."""
    waiting: deque[tuple[Floats, Future[Floats]]] = deque()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds or calls < in_flight:
        if len(waiting) == in_flight:
            waiting.popleft()[1].result()
        x = inputs[calls % len(inputs)]
        waiting.append((x, submit(x)))
        calls += 1
    answers = [(future.result(), x) for x, future in waiting]
    taken = time.perf_counter() - began
    check(*answers[-1])
    return Count(calls, taken, in_flight * taken / calls)


def _goes_on(calls: int, taken: float, seconds: float) -> bool:
    """Whether a turn of so many seconds has another call, after so many that took so long."""
    return calls == 0 or taken < seconds or (calls < _FEWEST and taken < _LONGEST * seconds)


def _together(counts: Sequence[Count]) -> Count:
    return Count(
        sum(count.calls for count in counts),
        max(count.seconds for count in counts),
        statistics.median(count.median for count in counts),
    )
