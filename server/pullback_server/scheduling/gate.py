"""The gate to what workers prepare: programs that they read, and what they compile before it can run.

Preparing takes no place of what runs, and may take long. So there are places of its own for it, which tenants
share by the time that they hold them, as they share the devices' time; one alone never has all of them where
there are others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.model.tickets import Ticket
from pullback_server.scheduling.accounts import Account, Accounts
from pullback_server.scheduling.queue import LEAD_SECONDS
from pullback_server.scheduling.turns import Line, Turns

PLACES: Final = 8
"""For each worker: as many as it prepares at a time."""

# What preparing is believed to take until it has.
_EXPECTED_SECONDS: Final = 0.25

Turn = asyncio.Future[None]
"""Done when it is one's turn."""


class Gate:
    """Lets so many prepare at a time.

    Args:
        accounts: Those of the tenants.
        workers: Tells how many workers are ready.
    """

    def __init__(self, accounts: Accounts, workers: Callable[[], int]) -> None:
        self._accounts = accounts
        self._workers = workers
        self._taken = 0
        self._turns: Turns[Turn, Account] = Turns()
        self._lines: dict[tuple[Account, int], Line[Turn, Account]] = {}

    @asynccontextmanager
    async def place(self, account: Account, ticket: Ticket) -> AsyncIterator[bool]:
        """Holds a place inside the block, and gives whether it had to be waited for.

        Raises:
            ServiceError: DEADLINE_EXCEEDED if the ticket's deadline passes before there is one.
        """
        waited = bool(self._turns.contenders) or not self._free(account)
        if waited:
            await self._wait(account, ticket)
        else:
            self._take(account)
        began = time.monotonic()
        try:
            yield waited
        finally:
            self._taken -= 1
            account.preparing -= 1
            spent = time.monotonic() - began
            self._turns.correct(account.preparations, spent - _EXPECTED_SECONDS)
            self._admit()

    async def _wait(self, account: Account, ticket: Ticket) -> None:
        line = self._line(account, ticket.priority)
        turn = asyncio.get_running_loop().create_future()
        now = time.monotonic()
        if not account.preparing and not account.preparations.lines:
            self._turns.arrive(account.preparations)
        self._turns.push(line, turn, now - LEAD_SECONDS * ticket.priority)
        self._turns.open(line)
        self._admit()
        try:
            async with asyncio.timeout(None if ticket.deadline is None else ticket.deadline - now):
                await turn
        except BaseException as error:
            self._leave(account, line, turn)
            if isinstance(error, TimeoutError):
                raise _too_late(time.monotonic() - now) from error
            raise

    def _leave(self, account: Account, line: Line[Turn, Account], turn: Turn) -> None:
        """Takes out one who waits no longer; a place that came in the same moment goes to the next."""
        if turn in line.waiting:
            self._turns.remove(line, turn)
        elif not turn.cancelled():
            self._taken -= 1
            account.preparing -= 1
            self._admit()

    def _admit(self) -> None:
        """Lets in those whose turn it is, while there are places."""
        for line in self._lines.values():
            self._turns.open(line)
        while (following := self._turns.next()) is not None:
            account, turn = following.lane, following.first
            if turn.done():  # its caller has gone
                self._turns.remove(following, turn)
            elif self._free(account):
                self._turns.remove(following, turn)
                self._take(account)
                turn.set_result(None)
            else:
                self._turns.close(following)

    def _free(self, account: Account) -> bool:
        places = PLACES * max(1, self._workers())
        most = places // 2 if self._accounts.several else places
        return self._taken < places and account.preparing < most

    def _take(self, account: Account) -> None:
        self._taken += 1
        account.preparing += 1
        self._turns.charge(account.preparations, _EXPECTED_SECONDS)

    def _line(self, account: Account, priority: int) -> Line[Turn, Account]:
        key = (account, priority)
        line = self._lines.get(key)
        if line is None:
            self._lines = {each: old for each, old in self._lines.items() if old.waiting}
            line = self._lines[key] = Line(account.preparations, account)
        return line


def _too_late(seconds: float) -> Exception:
    return service_error(
        Reason.DEADLINE_EXCEEDED,
        f"the call's deadline passed after {seconds:.3f} s, before a worker was free to prepare what it "
        "needs; give it more time, or try again when there is less to do",
    )
