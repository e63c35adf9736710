"""Protobuf's encoding: variable-length integers, and the fields that a message is a row of.

Source: https://protobuf.dev/programming-guides/encoding. Groups, which only proto2 has, are refused. Work is
linear in a message's length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pullback.codec.errors import CodecError

Buffer = bytes | bytearray | memoryview
"""Bytes in a row: a memoryview has items of one byte."""

Pieces = list[tuple[int, int]]
"""Where the occurrences of one field lie: beginning and end of each."""

_MORE: Final = 0x80
_LONGEST: Final = 10
_LONGEST_OF_32_BITS: Final = 5
_LARGEST_LENGTH: Final = (1 << 31) - 1
_LARGEST_TAG: Final = (1 << 32) - 1
_LARGEST: Final = (1 << 64) - 1
_FIRST_TAG: Final = 1 << 3
_MOST_FIELDS: Final = 1 << 20
_OF_1_BYTE: Final = tuple(bytes((value,)) for value in range(_MORE))


def varint(value: int) -> bytes:
    """A number as a varint; a negative one as its two's complement of 64 bits."""
    if 0 <= value < _MORE:
        return _OF_1_BYTE[value]
    if 0 <= value < _MORE << 7:
        return bytes((value & 0x7F | _MORE, value >> 7))
    value &= _LARGEST
    written = bytearray()
    while value >= _MORE:
        written.append(value & 0x7F | _MORE)
        value >>= 7
    written.append(value)
    return bytes(written)


def read_varint(buffer: Buffer, at: int, longest: int = _LONGEST) -> tuple[int, int]:
    """A varint, and where the next field begins.

    Args:
        buffer: What is read.
        at: Where the varint begins.
        longest: The most bytes that it may have.

    Raises:
        CodecError: If the buffer ends in it, or it has more bytes than it may; bits beyond 64 are dropped.
    """
    try:
        byte = buffer[at]
        if byte < _MORE:
            return byte, at + 1
        value = byte & 0x7F
        for shift in range(7, 7 * longest, 7):
            at += 1
            byte = buffer[at]
            value |= (byte & 0x7F) << shift
            if byte < _MORE:
                return value & _LARGEST, at + 1
    except IndexError:
        raise CodecError(f"the message ends at byte {len(buffer)}, inside a number") from None
    raise CodecError(f"the number that ends at byte {at} is longer than it may be")


def read_length(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """Where the bytes of a field begin and end, which its length tells.

    Args:
        buffer: What is read.
        at: Where the length stands.
        end: Where the message ends.

    Raises:
        CodecError: If they reach beyond the message.
    """
    length = buffer[at] if at < end else _MORE
    if length < _MORE:
        at += 1
    else:
        length, at = read_varint(buffer, at, _LONGEST_OF_32_BITS)
    if length > _LARGEST_LENGTH or at + length > end:
        raise CodecError(f"a field of {length} bytes begins at byte {at}, but its message ends at byte {end}")
    return at, at + length


def fields(buffer: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message, in whatever order they stand.

    Args:
        buffer: What is read.
        at: Where the message begins.
        end: Where it ends.

    Yields:
        The tag (8 times the field's number, and its wire type); the value of a varint, or where any other
        value begins; and where the value ends.

    Raises:
        CodecError: If this is no row of fields, or a row of more than 2**20.
    """
    for _ in range(_MOST_FIELDS):
        if at >= end:
            break
        tag = buffer[at]
        if tag < _MORE:
            value = at + 1
        else:
            tag, value = read_varint(buffer, at, _LONGEST_OF_32_BITS)
        if not _FIRST_TAG <= tag <= _LARGEST_TAG:
            raise CodecError(f"no field begins at byte {at}")
        value, at = _read_value(buffer, tag, value, end)
        if at > end:
            raise CodecError(f"the message ends at byte {end}, inside a field")
        yield tag, value, at
    if at != end:
        raise CodecError(f"a message has more than {_MOST_FIELDS} fields")


def signed(value: int, bits: int) -> int:
    """The number that a varint stands for where the field is signed: its lower bits, in two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def merged(buffer: Buffer, pieces: Sequence[tuple[int, int]]) -> tuple[Buffer, int, int]:
    """A message whose field stands there several times: protobuf joins the occurrences."""
    if len(pieces) == 1:
        return buffer, *pieces[0]
    joined = b"".join([buffer[at:end] for at, end in pieces])
    return joined, 0, len(joined)


def _read_value(buffer: Buffer, tag: int, at: int, end: int) -> tuple[int, int]:
    match tag & 7:
        case 0:
            return read_varint(buffer, at)
        case 2:
            return read_length(buffer, at, end)
        case 1:
            return at, at + 8
        case 5:
            return at, at + 4
        case wire:
            raise CodecError(f"a field before byte {at} has the wire type {wire}, which is not of proto3")
