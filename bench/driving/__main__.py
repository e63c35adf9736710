"""`python -m driving MODULE ADDRESS`: drives the client of a contestant, as lines of JSON tell it.

MODULE has a function `ways(address)`: how the client is called, by name. A way is made for a number of
points, and gives a call, or for tasks a coroutine that does; what it needs lasts as long as the process.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any, TextIO

from driving import loops
from driving.cpu import cpu_seconds
from driving.loops import Check, Maker
from workload import Floats, check, check_hessians, heavy_points, points

_INPUTS = 256
_SLOW_SECONDS = 2.0


class Driver:
    """A client, with what it has made so far.

    Args:
        ways: How it can be called.
        verify: What its gradients must pass.
    """

    def __init__(self, ways: Mapping[str, Maker], verify: Check) -> None:
        self._ways = ways
        self._verify = verify
        self._made: dict[tuple[str, int, int], list[Any]] = {}
        self._events = asyncio.new_event_loop()
        asyncio.set_event_loop(self._events)

    def prepare(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the calls of a task where they are new, and has each answer once."""
        if task["way"] not in self._ways:
            return {"cannot": True}
        key = (task["way"], task["points"], task["callers"])
        if key not in self._made:
            number = 1 if task["loop"] == "futures" else task["callers"]
            calls = [self._make(*key[:2]) for _ in range(number)]
            # The first call of a connection makes it, and the first answer may be compiled for.
            first = self._run({**task, "seconds": 0.0}, calls)
            if first.seconds < _SLOW_SECONDS:
                self._run({**task, "seconds": 0.0}, calls)
            self._made[key] = calls
        return {"ready": True}

    def measure(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Measures a task that is prepared."""
        calls = self._made[task["way"], task["points"], task["callers"]]
        client, server = time.process_time(), cpu_seconds(task["servers"])
        count = self._run(task, calls)
        return {
            **asdict(count),
            "client_cpu": time.process_time() - client,
            "server_cpu": cpu_seconds(task["servers"]) - server,
        }

    def _make(self, way: str, count: int) -> Any:
        made = self._ways[way](count)
        return self._events.run_until_complete(made) if inspect.iscoroutine(made) else made

    def _run(self, task: Mapping[str, Any], calls: Sequence[Any]) -> loops.Count:
        way, count = task["way"], task["points"]
        verify = check_hessians if way.startswith("hessian") else self._verify
        inputs = _inputs(way, count)
        loop, seconds = task["loop"], task["seconds"]
        if loop == "sequential":
            return loops.sequential(calls[0], inputs, seconds, verify)
        if loop == "futures":
            return loops.futures(calls[0], task["callers"], inputs, seconds, verify)
        if loop == "threads":
            return loops.threads(calls, inputs, seconds, verify)
        return self._events.run_until_complete(loops.tasks(calls, inputs, seconds, verify))


@cache
def _inputs(way: str, count: int) -> Sequence[Floats]:
    if way.startswith("hessian"):
        return [heavy_points(count)]
    if way.startswith("batch"):
        return [points(count)]
    return list(points(_INPUTS))


def main(module: str, address: str, tasks: TextIO, answers: TextIO) -> None:
    """Answers every line of tasks with a line."""

    def answer(what: dict[str, Any]) -> None:
        print(json.dumps(what), file=answers, flush=True)

    contestant = importlib.import_module(module)
    driver = Driver(contestant.ways(address), getattr(contestant, "check", check))
    answer({"ready": True})
    for line in tasks:
        task = json.loads(line)
        step = driver.prepare if task["step"] == "prepare" else driver.measure
        try:
            answer(step(task))
        except Exception as failure:  # noqa: BLE001 -- it goes into the table, whatever it is
            answer({"error": f"{type(failure).__name__}: {failure}"})


if __name__ == "__main__":
    # What a peer's library prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    main(sys.argv[1], sys.argv[2], sys.stdin, answers)
