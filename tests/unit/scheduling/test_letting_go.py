"""What was asked for is let go when it has ended, however it did: no garbage has to be collected for it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from squaring import BATCH, POINT, SquaringEngine

from pullback_server.model.evaluation import Evaluation
from pullback_server.scheduling.batcher import Batcher

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """Garbage stays where it is."""
    gc.disable()
    yield
    gc.enable()


class Memory:
    """Inputs, and which of them are still held."""

    def __init__(self) -> None:
        self._inputs: list[weakref.ref[object]] = []

    def evaluation(self, first: float, points: int | None = None) -> Evaluation:
        """Asks for squares of this number."""
        inputs = np.full((*(() if points is None else (points,)), 2, 3), first)
        self._inputs.append(weakref.ref(inputs))
        kind = POINT if points is None else BATCH
        return Evaluation(kind, (inputs.data.cast("B"),), points)

    @property
    def held(self) -> int:
        """How many are."""
        return sum(each() is not None for each in self._inputs)


async def ended(*tasks: asyncio.Task[object]) -> None:
    """Returns when all have, and what they left behind has run."""
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
    for _ in range(200):
        await asyncio.sleep(0)


def cancel(tasks: list[asyncio.Task[object]]) -> None:
    """Cancels all."""
    for task in tasks:
        task.cancel()


def asked(
    batcher: Batcher, memory: Memory, *firsts: float, points: int | None = None
) -> list[asyncio.Task[object]]:
    """Asks, without waiting."""
    return [asyncio.create_task(batcher.evaluate(memory.evaluation(first, points))) for first in firsts]


@pytest.mark.parametrize("gone", [False, True], ids=["waited for", "cancelled"])
@pytest.mark.parametrize("first", [1.0, -1.0], ids=["answered", "failed"])
@pytest.mark.parametrize(
    ("warm", "points"),
    [((), None), ((0,), None), ((0, 16), None), ((4,), 10)],
    ids=["cold", "warm", "joined", "cut"],
)
async def test_it_ends(
    engine: SquaringEngine,
    batcher: Batcher,
    warm: tuple[int, ...],
    points: int | None,
    first: float,
    gone: bool,
) -> None:
    """What runs at once, what waits, what travels together, and what is cut."""
    for bucket in warm:
        engine.heat(BATCH if bucket else POINT, bucket or None)
    memory = Memory()
    engine.gate.clear()
    tasks = asked(batcher, memory, *[first] * 5, points=points)
    await asyncio.sleep(0.01)
    if gone:
        cancel(tasks)
    engine.gate.set()
    await ended(*tasks)
    del tasks
    assert memory.held == 0
