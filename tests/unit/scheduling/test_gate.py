"""The gate to what workers prepare: bounded, shared between tenants, left by those who go."""

from __future__ import annotations

import asyncio
import time

import pytest
from jumping import run

from pullback_server.errors import DeadlineError
from pullback_server.model.tickets import OPEN, Ticket
from pullback_server.scheduling.accounts import Accounts
from pullback_server.scheduling.gate import PLACES, Gate


class Door:
    """A gate before work that takes a second."""

    def __init__(self, *names: str) -> None:
        self.accounts = Accounts()
        for name in names:
            self.accounts.of(name)
        self.gate = Gate(self.accounts, lambda: 1)
        self.inside = 0
        self.most = 0
        self.order: list[object] = []

    async def prepare(self, name: str, ticket: Ticket = OPEN, label: object = None) -> None:
        """Prepares something for a tenant."""
        async with self.gate.place(self.accounts.of(name), ticket):
            self.order.append(name if label is None else label)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(1.0)
            self.inside -= 1

    def many(self, name: str, count: int) -> list[asyncio.Task[None]]:
        """As much for a tenant."""
        return [asyncio.create_task(self.prepare(name)) for _ in range(count)]


def test_places() -> None:
    """One tenant alone has all places, and no more than there are; everything is prepared in the end."""

    async def main() -> None:
        door = Door("a")
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*door.many("a", 3 * PLACES))
        assert door.most == PLACES
        assert asyncio.get_running_loop().time() - began == pytest.approx(3.0)

    run(main())


def test_others_find_places() -> None:
    """Where there are several tenants, a flood leaves half of the places, and another goes at once."""

    async def main() -> None:
        door = Door("a", "b")
        flood = door.many("a", 50)
        await asyncio.sleep(0.5)
        assert door.inside == PLACES // 2
        await asyncio.gather(*door.many("b", PLACES // 2))
        assert asyncio.get_running_loop().time() == pytest.approx(1.5)
        await asyncio.gather(*flood)

    run(main())


def test_three_tenants_share() -> None:
    """Where all places are taken, those who wait have them in turn, whoever asked for how much before."""

    async def main() -> None:
        door = Door("a", "b", "c")
        tasks = [*door.many("a", 40), *door.many("b", 40)]
        await asyncio.sleep(1.5)
        tasks += door.many("c", 8)
        await asyncio.sleep(3.0)
        assert door.order.count("c") == 8
        await asyncio.gather(*tasks)

    run(main())


def test_who_goes() -> None:
    """Those who go while they wait or prepare leave nothing behind."""

    async def main() -> None:
        door = Door("a")
        tasks = door.many("a", 3 * PLACES)
        await asyncio.sleep(0.5)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(door.order) == 3 * PLACES // 2 + PLACES // 2
        assert door.gate._taken == door.accounts.of("a").preparing == 0

    run(main())


def test_late() -> None:
    """Whose deadline passes at the gate is told so, and lets nobody wait longer."""

    async def main() -> None:
        door = Door("a")
        tasks = door.many("a", PLACES)
        await asyncio.sleep(0)
        with pytest.raises(DeadlineError, match="prepare"):
            await door.prepare("a", Ticket("a", deadline=time.monotonic() + 0.25))
        assert asyncio.get_running_loop().time() == pytest.approx(0.25, abs=0.05)
        await asyncio.gather(*tasks)
        assert len(door.order) == PLACES

    run(main())


def test_priorities() -> None:
    """The higher priority goes first."""

    async def main() -> None:
        door = Door("a")
        tasks = door.many("a", PLACES)
        await asyncio.sleep(0)
        priorities = [-1] * PLACES + [0] * PLACES + [1] * PLACES
        waiting = [asyncio.create_task(door.prepare("a", Ticket("a", each), each)) for each in priorities]
        await asyncio.gather(*tasks, *waiting, return_exceptions=True)
        assert door.order[PLACES:] == sorted(priorities, reverse=True)

    run(main())
