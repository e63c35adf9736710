"""What is known of each tenant that calls: its share, its limits, and what it used. Without I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from pullback_server.scheduling.figures import TenantFigures
from pullback_server.scheduling.returning import Rate, Returns
from pullback_server.scheduling.turns import Share, Turns
from pullback_server.tenants.directory import EVERYBODY, Tenant

if TYPE_CHECKING:
    from pullback_server.scheduling.gate import Turn
    from pullback_server.scheduling.lane import Lane, Member

_FIRST_GUESS_SECONDS: Final = 0.05
_MOST_ACCOUNTS: Final = 4096


class Account:
    """A tenant's.

    Args:
        tenant: The tenant.

    Attributes:
        name: The tenant's name.
        share: Its claim to the devices' time.
        preparations: Its claim to the time in which workers prepare.
        preparing: How much of that they do for it now.
        figures: What it has and had.
        limited: Whether it has limits of its own.
        most: The most of its requests in flight; None without a limit.
        rate: How often it may come; None without a limit.
        seconds: What its requests took of late, from their coming to their end.
    """

    __slots__ = (
        "_returns",
        "figures",
        "limited",
        "most",
        "name",
        "preparations",
        "preparing",
        "rate",
        "seconds",
        "share",
    )

    def __init__(self, tenant: Tenant) -> None:
        self.name = tenant.name
        self.share: Share[Member, Lane] = Share()
        self.preparations: Share[Turn, Account] = Share()
        self.preparing = 0
        self.figures = TenantFigures()
        self.rate: Rate | None = None
        self._returns = Returns()
        self.seconds = _FIRST_GUESS_SECONDS
        self.settle(tenant)

    def settle(self, tenant: Tenant) -> None:
        """Takes over the tenant's settings."""
        self.share.weight = self.preparations.weight = tenant.weight
        self.most = tenant.max_in_flight
        self.rate = _rate(tenant)
        self.limited = self.most is not None or self.rate is not None

    def delay(self) -> float:
        """In how many seconds one that is refused may come back, by how fast its others come to an end."""
        pace = self.seconds / max(self.figures.in_flight, 1)
        return self._returns.delay(time.monotonic(), pace)


class Accounts:
    """The accounts of all tenants that have called.

    Args:
        tenant: Gives a tenant as it counts now.

    Attributes:
        turns: Whose turn it is on the devices.
        several: Whether more than one tenant has called: until then nothing is told by clocks.
    """

    def __init__(self, tenant: Callable[[str], Tenant] = EVERYBODY.tenant) -> None:
        self.turns: Turns[Member, Lane] = Turns()
        self.several = False
        self._tenant = tenant
        self._accounts: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        """All of them."""
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    def of(self, name: str) -> Account:
        """The account of a tenant."""
        return self._accounts.get(name) or self._open(name)

    def settle(self) -> None:
        """Takes over the settings of all tenants anew."""
        for account in self:
            account.settle(self._tenant(account.name))

    def _open(self, name: str) -> Account:
        if len(self._accounts) >= _MOST_ACCOUNTS:
            busy = {key: account for key, account in self._accounts.items() if account.figures.in_flight}
            self._accounts = busy
        account = self._accounts[name] = Account(self._tenant(name))
        self.several = self.several or len(self._accounts) > 1
        return account


def _rate(tenant: Tenant) -> Rate | None:
    rate = tenant.requests_per_second
    if rate is None:
        return None
    return Rate(rate, rate if tenant.burst is None else tenant.burst, time.monotonic())
