"""What client and server say over the side channel, as bytes; docs/local.md is the specification.

    offer      magic (4 bytes) | 0 (u32)                 | size of the segment (u64), with one descriptor
    answer     magic (4 bytes) | length of the text (u32) | number of the segment (u64), 0 for a refusal |
               text in UTF-8: why it was refused

All numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import Final

MAGIC: Final = b"PBM1"
MESSAGE_BYTES: Final = 16
LONGEST_TEXT: Final = 1024
LONGEST_PATH: Final = 107
"""Of a Unix domain socket, in bytes (unix(7))."""
_MESSAGE: Final = struct.Struct("<4sIQ")
_SUFFIX: Final = ".memory"
_SCHEME: Final = "unix:"


class HandoverError(Exception):
    """The other side says what makes no sense, or refuses a segment."""


def socket_path(address: str) -> str | None:
    """The path of the Unix domain socket that an address names, as gRPC reads it; None of other addresses."""
    if not address.startswith(_SCHEME):
        return None
    path = address.removeprefix(_SCHEME)
    return path.removeprefix("//") if path.startswith("///") else path


def memory_path(path: str) -> str:
    """The path of the side channel beside a socket's."""
    return path + _SUFFIX


def encode_offer(size: int) -> bytes:
    """Offers a segment of so many bytes."""
    return _MESSAGE.pack(MAGIC, 0, size)


def decode_offer(data: bytes) -> int:
    """The size of the segment that is offered.

    Raises:
        HandoverError: If it is no offer.
    """
    if len(data) != MESSAGE_BYTES:
        raise HandoverError(f"an offer has {MESSAGE_BYTES} bytes, and {len(data)} came")
    magic, zero, size = _MESSAGE.unpack(data)
    if magic != MAGIC or zero != 0:
        raise HandoverError(f"an offer begins with {MAGIC!r} and 0, and {magic!r} and {zero} came")
    return int(size)


def encode_acceptance(number: int) -> bytes:
    """Accepts a segment under a number."""
    return _MESSAGE.pack(MAGIC, 0, number)


def encode_refusal(why: str) -> bytes:
    """Refuses a segment."""
    text = why.encode()[:LONGEST_TEXT]
    return _MESSAGE.pack(MAGIC, len(text), 0) + text


def decode_answer(data: bytes) -> int:
    """The number that the segment got.

    Args:
        data: All that the server said.

    Raises:
        HandoverError: With its reason, if the segment was refused; or if it is no answer.
    """
    if len(data) < MESSAGE_BYTES:
        raise HandoverError("the server closed the side channel without an answer")
    magic, length, number = _MESSAGE.unpack_from(data)
    if magic != MAGIC or length > LONGEST_TEXT:
        raise HandoverError("what answers on the side channel is no Pullback server")
    if number == 0:
        raise HandoverError(data[MESSAGE_BYTES : MESSAGE_BYTES + length].decode(errors="replace"))
    return int(number)
