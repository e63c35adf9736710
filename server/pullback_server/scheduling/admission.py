"""Admission: bounds on what is in flight, so that overload is shed and never queued without end.

There is a bound for the whole server, and each tenant may have one of its own and a rate. Where the server is
full, a tenant with less than its share of the places gets one all the same: the tenant that is furthest over
its own share loses what it had queued last. So a flood does not lock others out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.scheduling.accounts import Account, Accounts

# Beyond the limit, as many are let in who have less than their share: one for so many places. Those who were
# shed for them have not gone yet, or are compiling, which is not broken off.
_RESERVE: Final = 8
_WEIGHT: Final = 0.1

Shed = Callable[[Account, ServiceError], bool]
"""Drops what a tenant queued last, with an error; False if nothing of it waits."""


class Admission:
    """Lets at most `limit` requests in at a time and refuses the others.

    Args:
        limit: The most requests in flight.
        accounts: Those of the tenants.

    Attributes:
        accounts: Those of the tenants.
    """

    def __init__(self, limit: int, accounts: Accounts | None = None) -> None:
        self.accounts = Accounts() if accounts is None else accounts
        self._limit = limit
        self._most = limit + max(1, limit // _RESERVE)
        self._in_flight = 0
        self._shed: Shed = _nothing_queued

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._in_flight

    def shed_by(self, shed: Shed) -> None:
        """Has room made by what knows the queue."""
        self._shed = shed

    def enter(self, account: Account) -> float:
        """Takes a place for a tenant, and gives the time at which it was taken, for `leave`.

        Raises:
            PressureError: OVERLOADED if all places are taken, and the tenant has its share of them;
                TENANT_OVERLOADED if it has as many as it may; RATE_LIMITED if it came too often.
        """
        now = time.monotonic()
        if account.limited:
            self._hold_to_limits(account, now)
        if self._in_flight >= self._limit:
            self._make_room(account)
        figures = account.figures
        if not figures.in_flight and self.accounts.several:
            self.accounts.turns.arrive(account.share, first=not self._in_flight)
        figures.in_flight += 1
        figures.requests += 1
        self._in_flight += 1
        return now

    def leave(self, account: Account, began: float) -> None:
        """Gives a place back."""
        self._in_flight -= 1
        account.figures.in_flight -= 1
        account.seconds += _WEIGHT * (time.monotonic() - began - account.seconds)

    def _hold_to_limits(self, account: Account, now: float) -> None:
        in_flight, most = account.figures.in_flight, account.most
        if most is not None and in_flight >= most:
            account.figures.shed += 1
            raise service_error(
                Reason.TENANT_OVERLOADED,
                f"{in_flight} requests of {_named(account)} are in flight, which is its limit "
                "(max_in_flight); try again later",
                retry_delay=account.delay(),
                limit=str(most),
                value=str(in_flight),
                setting="max_in_flight",
            )
        delay = None if account.rate is None else account.rate.take(now)
        if account.rate is not None and delay is not None:
            account.figures.shed += 1
            limit = account.rate.per_second
            # So many as come in the time until this one may are too many.
            value = limit * (1.0 + delay)
            raise service_error(
                Reason.RATE_LIMITED,
                f"{_named(account)} may send {limit:g} requests a second (requests_per_second), and with "
                f"this one and those that were told to come back would send {value:g}; try again later",
                retry_delay=delay,
                limit=f"{limit:g}",
                value=f"{value:g}",
                setting="requests_per_second",
            )

    def _make_room(self, account: Account) -> None:
        """Sheds what the tenant furthest over its share queued last; refuses where that is not another."""
        greediest = max(self.accounts, key=_appetite)
        if greediest is not account and self._in_flight < self._most and self._has_claim(account):
            if self._shed(greediest, self._full(greediest)):
                greediest.figures.shed += 1
            return
        account.figures.shed += 1
        raise self._full(account)

    def _has_claim(self, account: Account) -> bool:
        """Whether a tenant has less than its share of the places, among those that have any."""
        busy = [each for each in self.accounts if each.figures.in_flight and each is not account]
        weights = account.share.weight + sum(each.share.weight for each in busy)
        return account.figures.in_flight < self._limit * account.share.weight / weights

    def _full(self, account: Account) -> ServiceError:
        return service_error(
            Reason.OVERLOADED,
            f"{self._in_flight} requests are in flight, which is the limit (max_in_flight); try again later",
            retry_delay=account.delay(),
            limit=str(self._limit),
            value=str(self._in_flight),
            setting="max_in_flight",
        )


def _nothing_queued(account: Account, error: ServiceError) -> bool:  # noqa: ARG001 -- as every Shed
    return False


def _appetite(account: Account) -> float:
    return account.figures.in_flight / account.share.weight


def _named(account: Account) -> str:
    return f"the tenant {account.name!r}" if account.name else "all clients"
