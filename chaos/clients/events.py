"""What a client tells of each thing that it did: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a client did.

    Attributes:
        kind: What it did.
        began: When, on the machine's monotonic clock.
        seconds: How long it took, with the client's own retries.
        outcome: "ok", or what went wrong.
        answers: How many answers it had.
        reopened: How often its stream broke off and had to be opened again.
    """

    kind: str
    began: float
    seconds: float
    outcome: str
    answers: int = 0
    reopened: int = 0

    def line(self) -> str:
        """The event on a line."""
        return json.dumps(asdict(self))


def event(line: str) -> Event:
    """The event of a line."""
    return Event(**json.loads(line))
