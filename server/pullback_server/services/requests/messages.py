"""How large messages may be, and what is said of one that is larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pullback_server.errors import Reason, exceeded

Decoded = TypeVar("Decoded")


def check_message(nbytes: int, largest: int) -> None:
    """Refuses a message that is too large.

    Args:
        nbytes: How many bytes it has, or is announced to have.
        largest: How many it may have.

    Raises:
        ServiceError: MESSAGE_TOO_LARGE.
    """
    if nbytes > largest:
        raise exceeded(
            Reason.MESSAGE_TOO_LARGE,
            f"the request has {nbytes} bytes",
            value=nbytes,
            limit=largest,
            setting="max_message_bytes",
            advice="send fewer points at a time, as map does, or connect by unix:/path on the same machine",
        )


def held_to(largest: int, decode: Callable[[bytes], Decoded]) -> Callable[[bytes], Decoded]:
    """What reads messages, for those that are not too large; it raises MESSAGE_TOO_LARGE for others."""

    def read(raw: bytes) -> Decoded:
        if len(raw) > largest:
            check_message(len(raw), largest)
        return decode(raw)

    return read
