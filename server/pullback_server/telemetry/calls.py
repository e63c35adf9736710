"""What is counted of calls: how they ended, and how many bytes passed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import inf
from typing import Final

from pullback_server.telemetry.metrics import CALLS, OPEN_STREAMS, RECEIVED, SENT, Family, Reading
from pullback_server.telemetry.tenants import Labels

_log = logging.getLogger(__name__)

OK: Final = "OK"


class MethodCalls:
    """The calls of one method.

    Args:
        name: The method's, `Service/Method`.
        labels: The labels of tenants.
        slow_seconds: Those that take longer are told in the log.

    Attributes:
        received: Bytes of messages that were read.
        sent: Bytes of messages that were written.
        open: How many have begun and not ended, where they are streams.
    """

    __slots__ = ("_ends", "_labels", "_slow", "name", "open", "received", "sent")

    def __init__(self, name: str, labels: Labels, slow_seconds: float) -> None:
        self.name = name
        self.received = 0
        self.sent = 0
        self.open = 0
        self._labels = labels
        self._slow = slow_seconds
        self._ends: dict[tuple[str, str], int] = {}

    def end(self, tenant: str, seconds: float, code: str = OK) -> None:
        """Counts a call that has ended after so many seconds."""
        key = code, self._labels.of(tenant)
        self._ends[key] = self._ends.get(key, 0) + 1
        if seconds > self._slow:
            _log.warning("a slow call: %s took %.3f s and ended with %s", self.name, seconds, code)
        elif _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s took %.6f s and ended with %s", self.name, seconds, code)

    def ends(self) -> Iterator[Reading]:
        """How many ended with which code, by tenant."""
        for (code, tenant), count in list(self._ends.items()):
            yield (self.name, code, tenant), count


class Calls:
    """The calls of all methods.

    Args:
        labels: The labels of tenants.
        slow_seconds: Those that take longer are told in the log; 0 tells of none.
    """

    def __init__(self, labels: Labels, slow_seconds: float = 0.0) -> None:
        self._labels = labels
        self._slow = slow_seconds or inf
        self._methods: dict[str, MethodCalls] = {}

    def method(self, name: str, *, told: bool = True) -> MethodCalls:
        """Where the calls of a method are counted.

        Args:
            name: `Service/Method`.
            told: Whether slow ones are told.
        """
        return self._methods.setdefault(name, MethodCalls(name, self._labels, self._slow if told else inf))

    def families(self) -> Iterator[Family]:
        """The figures."""
        methods = list(self._methods.values())
        yield CALLS, (reading for method in methods for reading in method.ends())
        yield RECEIVED, (((method.name,), method.received) for method in methods)
        yield SENT, (((method.name,), method.sent) for method in methods)
        yield OPEN_STREAMS, (((), sum(method.open for method in methods)),)
