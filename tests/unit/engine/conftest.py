"""Pools of real processes that run the tiny worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluations import evaluation as evaluation_of

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.engine.arena import Arena
from pullback_server.engine.devices import Placement
from pullback_server.engine.interface import Source
from pullback_server.engine.pool import LocalPool
from pullback_server.engine.process import Launch
from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Evaluation, Tensor
from pullback_server.model.quantities import Quantity, Want

TINY = (sys.executable, str(Path(__file__).with_name("tiny_worker.py")))
Start = Callable[..., "asynccontextmanager[LocalPool]"]


@pytest.fixture
def programs() -> dict[str, bytes]:
    """What the program source has; tests add to it."""
    return {}


@pytest.fixture
def fetched() -> list[str]:
    """The digests that the program source was asked for."""
    return []


@pytest.fixture
def pool(programs: dict[str, bytes], fetched: list[str]) -> Callable[..., object]:
    """Starts a pool of tiny workers and stops it afterwards."""

    async def source(digest: str) -> bytes:
        fetched.append(digest)
        await asyncio.sleep(0.05)
        if digest not in programs:
            raise service_error(Reason.PROGRAM_NOT_FOUND, f"no program {digest}")
        return programs[digest]

    @asynccontextmanager
    async def start(
        count: int = 1,
        first: str = "ready",
        seconds: float = 20.0,
        *,
        wait: bool = True,
        arena: Arena | None = None,
        exclusive: bool = False,
        **others: Any,
    ) -> AsyncIterator[LocalPool]:
        launch = Launch(TINY, (f"--first={first}",), seconds)
        placements = [Placement(f"cpu:{i}", {}, exclusive) for i in range(count)]
        engine = LocalPool(placements, Source(source, source), launch, arena, **others)
        await engine.start()
        try:
            if wait:
                await until(lambda: all(worker.description for worker in engine.workers), engine.changed)
            yield engine
        finally:
            await engine.stop()

    return start


async def until(condition: Callable[[], bool], changed: Callable[[], Awaitable[None]]) -> None:
    """Waits until a condition holds, for at most 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():
            await changed()


@pytest.fixture(name="evaluation")
def evaluation_fixture() -> Callable[..., Evaluation]:
    """Makes an evaluation of a program that the tiny worker knows."""

    def make(digest: str, *values: float) -> Evaluation:
        array = np.array(values or (1.0, 2.0, 3.0), dtype=np.float64)
        tensor = Tensor(TensorType(ElementType.F64, array.shape), array.tobytes())
        return evaluation_of(digest, (Want(Quantity.VALUE),), (tensor,))

    return make
