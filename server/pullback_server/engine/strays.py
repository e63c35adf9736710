"""Programs that go on running when nobody waits for them any more, and take their workers with them.

Nothing but the end of its process stops a run, and that loses what others had there. So a program that was
left like this again and again runs alone for a while, where its end loses nothing. Nobody is blamed: it was
not the program that killed the worker, and with more time it might have ended.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from pullback_server.model.functions import EVERY_TENANT

_log = logging.getLogger(__name__)

_MOST_KEYS: Final = 4096

_Key = tuple[str, str]
"""The digest of a program and a tenant; no digest for whatever the tenant asks."""


class Strays:
    """Remembers which programs were left running.

    A tenant that is known has a count of its own besides, as each of its programs may be a new one.

    Args:
        program: So many times, a program of a tenant runs alone.
        tenant: So many times, everything of the tenant does.
        seconds: How long one time counts, and how long they run alone after the last.
        clock: Gives the time, in seconds.
    """

    def __init__(
        self,
        program: int = 3,
        tenant: int = 10,
        seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = (program, tenant)
        self._seconds = seconds
        self._clock = clock
        self._times: OrderedDict[_Key, deque[float]] = OrderedDict()
        self._alone: dict[_Key, float] = {}

    def left(self, digest: str, tenant: str) -> None:
        """Takes note that a worker had to be ended for what it ran.

        Args:
            digest: The program.
            tenant: Who had asked for it; EVERY_TENANT where that were several.
        """
        self._count((digest, tenant), self._most[0])
        if tenant not in {"", EVERY_TENANT}:
            self._count(("", tenant), self._most[1])

    def alone(self, digest: str, tenant: str) -> bool:
        """Whether what a tenant asks of a program is to run alone."""
        if not self._alone:
            return False
        now = self._clock()
        self._alone = {key: until for key, until in self._alone.items() if until > now}
        return any(key in self._alone for key in ((digest, tenant), (digest, EVERY_TENANT), ("", tenant)))

    def _count(self, key: _Key, most: int) -> None:
        now = self._clock()
        times = self._times.pop(key, None) or deque(maxlen=most)
        times.append(now)
        self._times[key] = times
        while len(self._times) > _MOST_KEYS:
            self._times.popitem(last=False)
        if len(times) == most and now - times[0] <= self._seconds:
            self._alone[key] = now + self._seconds
            _log.warning(
                "%s of the tenant %r was left running %d times, and ended with its worker; it runs alone for "
                "%.0f s",
                f"the program {key[0]}" if key[0] else "what is asked",
                key[1],
                most,
                self._seconds,
            )
