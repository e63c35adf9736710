"""How workers die, and what that says of the requests that they had in hand. Without I/O."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pullback_server.errors import Reason, ServiceError, service_error


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a worker process.

    Attributes:
        how: What happened, such as `it was killed by SIGSEGV`.
        running: The numbers of the requests that it worked at.
        blamable: Whether one of these may have caused it; not where somebody else ended the process.
        reason: What a caller is told whose request caused it.
        metadata: What else such a caller is told.
    """

    how: str
    running: frozenset[int] = frozenset()
    blamable: bool = True
    reason: Reason = Reason.WORKER_DIED
    metadata: Mapping[str, str] = field(default_factory=dict)


class Fate(NamedTuple):
    """What a worker's death means for one request.

    Attributes:
        death: The death.
        suspect: Whether the request ran meanwhile; else it merely waited.
    """

    death: Death
    suspect: bool

    def error(self, times: int) -> ServiceError:
        """What its caller is told when it is not repeated any more."""
        error = service_error(
            self.death.reason,
            f"the worker process died {times} times with this call in hand: {self.death.how}; the program "
            "may crash the compiler, or need more memory than there is",
            deaths=str(times),
        )
        error.metadata.update(self.death.metadata)
        return error


class WorkerGoneError(Exception):
    """The worker process ended, or said what makes no sense, before it answered.

    Args:
        fate: What that means for the request.
    """

    def __init__(self, fate: Fate) -> None:
        super().__init__(f"the worker has gone: {fate.death.how}")
        self.fate = fate


def gone(how: str) -> WorkerGoneError:
    """The error of a request that a worker which has gone never had in hand."""
    return WorkerGoneError(Fate(Death(how, blamable=False), suspect=False))


def death_of(status: int, running: frozenset[int], *, starved: bool) -> Death:
    """The death of a process that ended by itself.

    Args:
        status: Its exit status; negative for a signal.
        running: The numbers of the requests that it worked at.
        starved: Whether the system killed processes meanwhile, for want of memory.
    """
    if status >= 0:
        return Death(f"it ended with exit status {status}", running)
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    if name == "SIGKILL" and starved:
        return Death("the system killed it for want of memory", running)
    # No program can send SIGKILL, so it came from outside.
    return Death(f"it was killed by {name}", running, blamable=name not in {"SIGKILL", "SIGTERM", "SIGINT"})
