"""What is counted of calls: how they ended, and how many bytes passed."""

from __future__ import annotations

from collections.abc import Iterator

from pullback_server.telemetry.metrics import CALLS, OPEN_STREAMS, RECEIVED, SENT, Family, Reading
from pullback_server.telemetry.tenants import Labels

OK = "OK"


class Tally:
    """The calls of one tenant to one method.

    Attributes:
        ok: How many ended well.
        received: Bytes that were read.
        sent: Bytes that were written.
        failed: How many ended with which other code.
    """

    __slots__ = ("failed", "ok", "received", "sent")

    def __init__(self) -> None:
        self.ok = 0
        self.received = 0
        self.sent = 0
        self.failed: dict[str, int] = {}

    def fail(self, code: str) -> None:
        """Counts a call that ended with another code than OK."""
        self.failed[code] = self.failed.get(code, 0) + 1


class MethodCalls:
    """The calls of one method, by tenant.

    Args:
        name: The method's, `Service/Method`.
        labels: The labels of tenants.

    Attributes:
        open: How many have begun and not ended; of streams only.
    """

    __slots__ = ("_by_label", "_by_tenant", "_labels", "name", "open")

    def __init__(self, name: str, labels: Labels) -> None:
        self.name = name
        self.open = 0
        self._labels = labels
        self._by_label: dict[str, Tally] = {}
        self._by_tenant: dict[str, Tally] = {}

    def of(self, tenant: str) -> Tally:
        """Where the calls of a tenant are counted."""
        tally = self._by_tenant.get(tenant)
        return self._new(tenant) if tally is None else tally

    def tallies(self) -> list[tuple[str, Tally]]:
        """The tallies, each with its tenant's label."""
        return list(self._by_label.items())

    def _new(self, tenant: str) -> Tally:
        label = self._labels.of(tenant)
        tally = self._by_label.setdefault(label, Tally())
        if label == tenant:
            self._by_tenant[tenant] = tally
        return tally


class Calls:
    """The calls of all methods.

    Args:
        labels: The labels of tenants.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._methods: dict[str, MethodCalls] = {}

    def method(self, name: str) -> MethodCalls:
        """Where the calls of a method are counted, `Service/Method`."""
        return self._methods.setdefault(name, MethodCalls(name, self._labels))

    def families(self) -> Iterator[Family]:
        """The figures."""
        methods = list(self._methods.values())
        yield CALLS, (reading for method in methods for reading in _ends(method))
        yield (
            RECEIVED,
            (((each.name, label), tally.received) for each in methods for label, tally in each.tallies()),
        )
        yield SENT, (((each.name, label), tally.sent) for each in methods for label, tally in each.tallies())
        yield OPEN_STREAMS, (((), float(sum(each.open for each in methods))),)


def _ends(method: MethodCalls) -> Iterator[Reading]:
    for label, tally in method.tallies():
        yield (method.name, OK, label), tally.ok
        for code, count in list(tally.failed.items()):
            yield (method.name, code, label), count
