"""What calls have in hand of the server's budgets, until it has been sent away.

Who answers a request takes room for its results here, and need not know how the call ends: a unary call gives
everything back when it has ended, a stream what belongs to an answer when that has been written.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

from pullback.codec.evaluation import Request
from pullback_server.errors import ServiceError
from pullback_server.services.budget import SMALL, Budget, Budgets
from pullback_server.tenants.callers import caller

Room = Callable[[int], Awaitable[None]]
"""Takes room for so many bytes of results, waiting until there is.

Raises ServiceError: RESULT_TOO_LARGE if there never can be.
"""

at_the_end: ContextVar[Callable[[Callable[[object], None]], object]] = ContextVar("at_the_end")
"""Has something called when the unary call that is being served has ended."""

# Such a part of each budget one stream may have in hand, so that a client that does not read its answers
# holds up others only where it opens many of them.
_SHARE: Final = 16


def room_until_the_end(budgets: Budgets) -> Room:
    """Room for the results of unary calls, which they give back when they have ended."""
    budget = budgets.results

    async def room(nbytes: int) -> None:
        if nbytes > SMALL:
            tenant = caller.get().tenant
            await budget.take(nbytes)
            at_the_end.get()(lambda _: budget.give_back(nbytes, tenant))

    return room


class StreamHold:
    """What one stream has in hand, by numbers of its own: the ids that a client gives may come twice.

    Args:
        budgets: The server's.
    """

    def __init__(self, budgets: Budgets) -> None:
        self._numbers = itertools.count()
        self._requests = _Share(budgets.requests)
        self._results = _Share(budgets.results)
        self._refused: dict[int, ServiceError] = {}

    async def admit(self, request: Request) -> int:
        """Takes room for a request of the stream that was read; the next is read when there is.

        One for which there never can be is refused when it is answered, and the stream goes on.

        Returns:
            The number under which the stream has it in hand.
        """
        number = next(self._numbers)
        nbytes = request_bytes(request)
        if nbytes > SMALL:
            try:
                await self._requests.take(number, nbytes)
            except ServiceError as error:
                self._refused[number] = error
        return number

    def require(self, number: int) -> None:
        """Makes sure that a request was admitted.

        Raises:
            ServiceError: MESSAGE_TOO_LARGE if there never can be room for it.
        """
        if self._refused and (error := self._refused.get(number)):
            raise error

    async def room(self, number: int, nbytes: int) -> None:
        """Takes room for the results of a request, waiting until there is.

        Raises:
            ServiceError: RESULT_TOO_LARGE if there never can be.
        """
        if nbytes > SMALL:
            await self._results.take(number, nbytes)

    def sent(self, number: int) -> None:
        """Gives back what belongs to a request whose answer has been written."""
        self._refused.pop(number, None)
        self._requests.give_back(number)
        self._results.give_back(number)

    def close(self) -> None:
        """Gives back everything."""
        self._requests.close()
        self._results.close()


class _Share:
    """What one stream has in hand of a budget, by the numbers of its requests."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._tenant = caller.get().tenant
        self._most = budget.limit // _SHARE
        self._used = 0
        self._held: dict[int, int] = {}
        self._less = asyncio.Event()

    async def take(self, number: int, nbytes: int) -> None:
        while self._used and self._used + nbytes > self._most:
            self._less.clear()
            await self._less.wait()
        self._used += nbytes
        try:
            await self._budget.take(nbytes)
        except BaseException:
            self._used -= nbytes
            raise
        self._held[number] = self._held.get(number, 0) + nbytes

    def give_back(self, number: int) -> None:
        if self._held and (nbytes := self._held.pop(number, 0)):
            self._used -= nbytes
            self._less.set()
            self._budget.give_back(nbytes, self._tenant)

    def close(self) -> None:
        for number in list(self._held):
            self.give_back(number)


def request_bytes(request: Request) -> int:
    """The bytes of a request's tensors."""
    _, arguments, tangents, cotangents, _ = request
    return sum([len(tensor[2]) for tensor in arguments + tangents + cotangents])
