"""Budgets of bytes: how much of requests and of results may be in hand at a time.

Knows neither gRPC nor messages. Whoever wants room waits in line, and gives it back when the bytes are gone.
Tenants have room in turns, by bytes; of one tenant's those go first who came first. A tenant has half of a
budget at most, or one thing that is larger: a client that sends slowly, or does not read, keeps what it has,
and must leave room to others. Requests and results have a budget each: a call that waits for room for its
results holds its request, so that one budget for both could be full of calls that all wait for each other.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.scheduling.turns import Line, Share, Turns
from pullback_server.tenants.callers import caller

SMALL: Final = 1 << 16
"""What is not larger is not counted: counting would cost more than it bounds."""
LARGE: Final = 1 << 20
"""What is larger should be announced, so that it is read when there is room."""
_SETTING: Final = "max_bytes_in_flight"
_RETRY_SECONDS: Final = 0.2
_ANNOUNCE: Final = (
    ", or announce the size of large requests in pullback-request-bytes and be read when there is room"
)
# Of how many parts of a budget a tenant may have one.
_PARTS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """What one waits for.

    Attributes:
        nbytes: How much room.
        turn: Done when there is.
    """

    nbytes: int
    turn: asyncio.Future[None]


class Budget:
    """A number of bytes that may be in hand.

    Args:
        limit: How many.
        what: Whose they are, for messages: `a request` or `results`.
        setting: What the limit is, for messages; its last word is the name of a setting.
        reason: Why what is larger than the limit is refused.
        otherwise: What a caller may do who cannot have room at once, but try again.
    """

    def __init__(
        self,
        limit: int,
        what: str,
        setting: str,
        reason: Reason = Reason.MESSAGE_TOO_LARGE,
        otherwise: str = "",
    ) -> None:
        self._limit = limit
        self._what = what
        self._setting = setting
        self._reason = reason
        self._otherwise = otherwise
        self._used = 0
        self._held: Counter[str] = Counter()
        self._turns: Turns[_Claim, str] = Turns()
        self._lines: dict[str, Line[_Claim, str]] = {}
        self._numbers = itertools.count()

    @property
    def limit(self) -> int:
        """How many bytes may be in hand."""
        return self._limit

    @property
    def used(self) -> int:
        """How many are."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return sum(len(line.waiting) for line in self._lines.values())

    async def take(self, nbytes: int) -> None:
        """Takes room, waiting in line until there is.

        Raises:
            ServiceError: the budget's reason if there never can be.
        """
        self._require_possible(nbytes)
        tenant = caller.get().tenant
        line = self._lines.get(tenant)
        first = not self._turns.contenders and not (line and line.waiting)
        if first and self._used + nbytes <= self._limit and self._is_due(nbytes, tenant):
            self._hold(nbytes, tenant)
            return
        claim = _Claim(nbytes, asyncio.get_running_loop().create_future())
        line = self._line(tenant)
        self._turns.push(line, claim, next(self._numbers))
        self._settle(line)
        try:
            await claim.turn
        except asyncio.CancelledError:
            self._leave(line, claim)
            raise

    def take_at_once(self, nbytes: int) -> None:
        """Takes room if there is, also before others who wait in line if it is for something small.

        Raises:
            ServiceError: OVERLOADED if there is none now, TENANT_OVERLOADED if the tenant has its part, the
                budget's reason if there never can be.
        """
        self._require_possible(nbytes)
        tenant = caller.get().tenant
        if self._used + nbytes > self._limit or (self._turns.contenders and nbytes > LARGE):
            raise self._full(nbytes)
        if not self._is_due(nbytes, tenant):
            raise self._had(nbytes, tenant)
        self._hold(nbytes, tenant)

    def add(self, nbytes: int) -> None:
        """Counts what is there already, whether there is room or not."""
        self._used += nbytes

    def give_back(self, nbytes: int, tenant: str = "") -> None:
        """Gives room back that callers of a tenant took, and lets in those who wait and now have it."""
        self._used -= nbytes
        if tenant:
            self._held[tenant] -= nbytes
            if not self._held[tenant]:
                del self._held[tenant]
            if (line := self._lines.get(tenant)) is not None:
                self._settle(line)
        self._admit()

    def _hold(self, nbytes: int, tenant: str) -> None:
        self._used += nbytes
        if tenant:
            self._held[tenant] += nbytes

    def _is_due(self, nbytes: int, tenant: str) -> bool:
        """Whether a tenant may have so much more; where nobody is asked who they are, all are one tenant."""
        held = self._held[tenant]
        return not held or held + nbytes <= self._limit // _PARTS

    def _settle(self, line: Line[_Claim, str]) -> None:
        """Has a line take part if its tenant may have what its head waits for."""
        if line.waiting and self._is_due(line.first.nbytes, line.lane):
            self._turns.open(line)
        else:
            self._turns.close(line)

    def _admit(self) -> None:
        while (line := self._turns.next()) is not None:
            claim = line.first
            if not claim.turn.done():
                if self._used + claim.nbytes > self._limit:
                    return
                self._turns.charge(line.share, claim.nbytes)
                self._hold(claim.nbytes, line.lane)
                claim.turn.set_result(None)
            # Else it was cancelled, and leaves when it runs.
            self._turns.remove(line, claim)
            self._settle(line)

    def _leave(self, line: Line[_Claim, str], claim: _Claim) -> None:
        """Leaves the line; what came in the same moment is given back."""
        if claim.turn.done() and not claim.turn.cancelled():
            self.give_back(claim.nbytes, line.lane)
            return
        if claim in line.waiting:
            self._turns.remove(line, claim)
            self._settle(line)
        self._admit()

    def _line(self, tenant: str) -> Line[_Claim, str]:
        """Where a tenant's wait; those who had none are served from then on."""
        line = self._lines.get(tenant)
        if line is None:
            self._lines = {name: each for name, each in self._lines.items() if each.waiting}
            share: Share[_Claim, str] = Share()
            line = self._lines[tenant] = Line(share, tenant)
        if not line.waiting:
            self._turns.arrive(line.share)
        return line

    def _require_possible(self, nbytes: int) -> None:
        if nbytes > self._limit:
            raise self._refusal(
                self._reason,
                f"there is never room for {nbytes} bytes of {self._what}; the server's limit "
                f"({self._setting}) is {self._limit}; ask for less at once: fewer points, or fewer wants",
                nbytes,
                self._limit,
            )

    def _full(self, nbytes: int) -> ServiceError:
        ahead = sum(line.first.nbytes for line in self._lines.values() if line.waiting)
        wanted = self._used + ahead + nbytes
        return self._refusal(
            Reason.OVERLOADED,
            f"there is no room for {nbytes} bytes of {self._what} now: with them and those that wait "
            f"{wanted} would be in hand, and {self._limit} ({self._setting}) may be; try again "
            f"later{self._otherwise}",
            wanted,
            self._limit,
            _RETRY_SECONDS,
        )

    def _had(self, nbytes: int, tenant: str) -> ServiceError:
        wanted, most = self._held[tenant] + nbytes, self._limit // _PARTS
        return self._refusal(
            Reason.TENANT_OVERLOADED,
            f"there is no room for {nbytes} bytes of {self._what} now: with them the tenant {tenant!r} would "
            f"have {wanted} in hand, and may have {most} (a part of {_SETTING}); try again when others of "
            "its requests have been answered",
            wanted,
            most,
            _RETRY_SECONDS,
        )

    def _refusal(
        self, reason: Reason, message: str, value: int, limit: int, retry_delay: float | None = None
    ) -> ServiceError:
        setting = self._setting.rpartition(" ")[2]
        return service_error(
            reason, message, retry_delay=retry_delay, value=str(value), limit=str(limit), setting=setting
        )


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of a server.

    Attributes:
        requests: For what is read.
        results: For what is not sent yet.
        computed: For what was computed before there was room for it, as it was not known how large it would
            be, and waits.
    """

    requests: Budget
    results: Budget
    computed: Budget


def budgets(nbytes: int) -> Budgets:
    """The budgets that share `nbytes`: half is for requests.

    Results have a quarter, since gRPC has a copy of each message while it sends it.
    """
    requests = Budget(nbytes // 2, "a request", f"half of {_SETTING}", otherwise=_ANNOUNCE)
    results, computed = (
        Budget(nbytes // 4, "results", f"a quarter of {_SETTING}", Reason.RESULT_TOO_LARGE) for _ in range(2)
    )
    return Budgets(requests, results, computed)
