"""How large messages may be, and what is said of one that is larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pullback_server.errors import Reason, service_error

Decoded = TypeVar("Decoded")

_FEWER: Final = "send fewer points at a time, as map does, or connect by unix:/path on the same machine"
_OF_A_STREAM: Final = "one request of the stream, which ends with it,"
_OTHERS: Final = "what else has no answer can be sent again on another stream"


def check_message(nbytes: int, largest: int, *, streams: bool = False) -> None:
    """Refuses a message that is too large.

    Args:
        nbytes: How many bytes it has, or is announced to have.
        largest: How many it may have.
        streams: Whether it is one of a stream, all of whose requests are told this.

    Raises:
        ServiceError: MESSAGE_TOO_LARGE.
    """
    if nbytes > largest:
        raise service_error(
            Reason.MESSAGE_TOO_LARGE,
            f"{_OF_A_STREAM if streams else 'the request'} has {nbytes} bytes; the server's limit "
            f"(max_message_bytes, and up to a mebibyte around its tensors) is {largest}; "
            f"{f'{_FEWER}; {_OTHERS}' if streams else _FEWER}",
            value=str(nbytes),
            limit=str(largest),
            setting="max_message_bytes",
        )


def held_to(
    largest: int, decode: Callable[[bytes], Decoded], *, streams: bool = False
) -> Callable[[bytes], Decoded]:
    """What reads messages that are not too large; it raises MESSAGE_TOO_LARGE for others."""

    def read(raw: bytes) -> Decoded:
        if len(raw) > largest:
            check_message(len(raw), largest, streams=streams)
        return decode(raw)

    return read
