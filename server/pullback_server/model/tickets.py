"""With what claim a request waits and runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a request besides its work.

    Attributes:
        tenant: Whose share of the devices it uses.
        priority: Among those of its tenant the higher goes first.
        deadline: When its caller stops waiting, on the clock of `time.monotonic`; None if never.
    """

    tenant: str = ""
    priority: int = 0
    deadline: float | None = None


OPEN: Final = Ticket()
"""That of a request of which nothing is known."""

ticket: ContextVar[Ticket] = ContextVar("ticket", default=OPEN)
"""That of the call that is being served."""
