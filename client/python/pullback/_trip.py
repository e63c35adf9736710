"""What the attempts of a call share: when it must be over, and its id in the server's log; without I/O."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Final

from pullback._channel import Deadline

Metadata = tuple[tuple[str, str], ...]

REQUEST_ID_KEY: Final = "x-request-id"
_RANDOM_BYTES: Final = 8


def request_ids() -> Iterator[str]:
    """Ids that nobody else gives, for the calls of one client; they begin alike. Threads may share them."""
    return map(f"{os.urandom(_RANDOM_BYTES).hex()}{{:08x}}".format, itertools.count(1))


def shown(request_id: str) -> Metadata:
    """The metadata that tell a server an id."""
    return ((REQUEST_ID_KEY, request_id),)


class Trip:
    """A call with all its attempts.

    Args:
        request_id: Its id.
        timeout: In seconds from now, for all attempts together; None is without end.

    Attributes:
        request_id: Its id, which all its attempts have that it makes alone.
        sent_as: The id of its last attempt: its own, or that of the message in which it went with others.
    """

    __slots__ = ("_deadline", "request_id", "sent_as")

    def __init__(self, request_id: str, timeout: float | None) -> None:
        self._deadline = Deadline(timeout)
        self.request_id = self.sent_as = request_id

    def remaining(self) -> float | None:
        """The seconds that are left, at least 0; None without an end."""
        return self._deadline.remaining()

    def alone(self, more: Metadata | None = None) -> Metadata:
        """The metadata of an attempt that it makes alone, from now on under its own id."""
        self.sent_as = self.request_id
        return shown(self.request_id) + (more or ())
