"""Mutations of protobuf messages that keep most of their structure: fields are changed, not bytes.

Source: the wire format, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from fuzz.mutations.octets import mutated as mutated_bytes

VARINT, I64, LEN, GROUP, GROUP_END, I32 = range(6)
_NUMBERS: Final = (
    *(0, 1, 2, 3, 4, 7, 8, 11, 28, 29, 63, 64, 127, 128, 255, 256, 1 << 10, 1 << 16, 1 << 20, 1 << 31),
    *((1 << 31) - 1, (1 << 32) - 1, 1 << 32, 10**13, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 69),
)
_TEXTS: Final = (
    *(
        b"",
        b"x",
        b"\x00",
        b"\xff\xfe",
        b"/",
        b"functions/",
        b"functions/square",
        b"functions/../x",
        b"a" * 129,
    ),
    *(b"functions/pair/revisions/00000000", b"0" * 64, b"f" * 64, "f\u00fcr".encode(), b"a\nb", b"-1", b"n"),
    *(
        b"\x08" * 300,
        b"{}{}{}",
        b"%s%n",
        b"' OR 1",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"nan",
        b"__class__",
    ),
)
_DEPTHS: Final = (2, 33, 99, 101, 600, 3000)
_RECURSION: Final = 0.75
_WIDEST_VARINT: Final = 10


class NotAMessageError(ValueError):
    """The bytes cannot be read as fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it stands on the wire.

    Attributes:
        number: Its number.
        wire_type: How its value is written.
        value: A number, or the bytes of a LEN field.
    """

    number: int
    wire_type: int
    value: int | bytes

    def encoded(self) -> bytes:
        """The field on the wire."""
        tag = varint(self.number << 3 | self.wire_type)
        if isinstance(self.value, bytes):
            return tag + varint(len(self.value)) + self.value
        width = {VARINT: 0, I64: 8, I32: 4}[self.wire_type]
        return (
            tag + (self.value % (1 << 8 * width)).to_bytes(width, "little")
            if width
            else tag + varint(self.value)
        )


def varint(number: int) -> bytes:
    """A number, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def fields_of(data: bytes) -> list[Field]:
    """The fields of a message.

    Raises:
        NotAMessageError: If the bytes are none.
    """
    fields, place = [], 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == VARINT:
            value, place = _read_varint(data, place)
        elif wire_type == LEN:
            length, place = _read_varint(data, place)
            value, place = data[place : place + length], place + length
        elif wire_type in (I64, I32):
            width = 8 if wire_type == I64 else 4
            value, place = int.from_bytes(data[place : place + width], "little"), place + width
        else:
            raise NotAMessageError
        if number == 0 or place > len(data):
            raise NotAMessageError
        fields.append(Field(number, wire_type, value))
    return fields


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(data[place : place + _WIDEST_VARINT]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, place + index + 1
    raise NotAMessageError


def message(fields: Sequence[Field]) -> bytes:
    """The message of fields."""
    return b"".join(field.encoded() for field in fields)


def mutated(data: bytes, dice: Random, others: Sequence[bytes] = ()) -> bytes:
    """The message after a change somewhere in its tree of fields; of what is no message, bytes change."""
    try:
        fields = fields_of(data)
    except NotAMessageError:
        return mutated_bytes(data, dice, others)
    inner = [index for index, field in enumerate(fields) if field.wire_type == LEN and field.value]
    if inner and dice.random() < _RECURSION:
        index = dice.choice(inner)
        value = fields[index].value
        assert isinstance(value, bytes)
        fields[index] = replace(fields[index], value=mutated(value, dice, others))
        return message(fields)
    return dice.choice(_EDITS)(fields, dice, others)


Edit = Callable[[list[Field], Random, Sequence[bytes]], bytes]
"""The bytes of changed fields; the last argument is what else there is to take pieces from."""


def _remove(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    if fields:
        del fields[dice.randrange(len(fields))]
    return message(fields)


def _repeat(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    if fields:
        index = dice.randrange(len(fields))
        fields[index:index] = [fields[index]] * dice.choice((1, 1, 2, 7, 100))
    return message(fields)


def _shuffle(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    dice.shuffle(fields)
    return message(fields)


def _renumber(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    if fields:
        index = dice.randrange(len(fields))
        number = dice.choice((*range(1, 13), 15, 16, 2047, (1 << 29) - 1))
        fields[index] = replace(fields[index], number=number)
    return message(fields)


def _set_value(fields: list[Field], dice: Random, others: Sequence[bytes]) -> bytes:
    if fields:
        index = dice.randrange(len(fields))
        field = fields[index]
        if isinstance(field.value, int):
            fields[index] = replace(field, value=_number(field.value, dice))
        else:
            fields[index] = replace(field, value=_text(field.value, dice, others))
    return message(fields)


def _number(number: int, dice: Random) -> int:
    return dice.choice((*_NUMBERS, number + 1, max(number - 1, 0), number * 2, dice.getrandbits(64)))


def _text(value: bytes, dice: Random, others: Sequence[bytes]) -> bytes:
    kind = dice.randrange(4)
    if kind == 0:
        return dice.choice(_TEXTS)
    if kind == 1:
        return mutated_bytes(value, dice, others)
    if kind == 2:
        return b"".join(varint(_number(0, dice) % (1 << 64)) for _ in range(dice.randint(1, 5)))
    return dice.choice(others) if others else value + value


def _add(fields: list[Field], dice: Random, others: Sequence[bytes]) -> bytes:
    number, wire_type = dice.randint(1, 12), dice.choice((VARINT, I64, LEN, I32))
    value: int | bytes = _text(b"", dice, others) if wire_type == LEN else _number(0, dice)
    fields.insert(dice.randrange(len(fields) + 1), Field(number, wire_type, value))
    return message(fields)


def _nest(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    """One field inside itself, again and again."""
    if not fields:
        return b""
    index = dice.randrange(len(fields))
    data = fields[index].encoded()
    number = dice.choice((fields[index].number, dice.randint(1, 7)))
    for _ in range(dice.choice(_DEPTHS)):
        if len(data) > 1 << 18:
            break
        data = Field(number, LEN, data).encoded()
    return message([*fields[:index], *fields[index + 1 :]]) + data


def _lie_about_length(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    data = bytearray(message(fields))
    lie = varint(dice.choice((*_NUMBERS, len(data))) % (1 << 64))
    return bytes(data) + varint(dice.randint(1, 12) << 3 | LEN) + lie + bytes(dice.randint(0, 9))


def _group(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    number = dice.randint(1, 12)
    begin, end = varint(number << 3 | GROUP), varint(number << 3 | GROUP_END)
    times = dice.choice((1, 1, 3, 101, 5000))
    return message(fields) + dice.choice(
        (begin * times, end, begin * times + end * times, begin + b"\x08\x01" + end)
    )


def _long_varint(fields: list[Field], dice: Random, _: Sequence[bytes]) -> bytes:
    """A number, or a tag, with more bytes than it needs, or than there may be."""
    tag = varint(dice.randint(1, 12) << 3)
    return message(fields) + dice.choice((tag, b"")) + b"\x80" * dice.choice((1, 8, 9, 10, 11, 100)) + b"\x00"


def _change_type(fields: list[Field], dice: Random, others: Sequence[bytes]) -> bytes:
    if fields:
        index = dice.randrange(len(fields))
        wire_type = dice.choice((VARINT, I64, LEN, I32))
        value: int | bytes = _text(b"", dice, others) if wire_type == LEN else _number(0, dice)
        fields[index] = Field(fields[index].number, wire_type, value)
    return message(fields)


_EDITS: Final[tuple[Edit, ...]] = (
    _remove,
    _repeat,
    _shuffle,
    _renumber,
    _set_value,
    _set_value,
    _set_value,
    _add,
    _nest,
    _lie_about_length,
    _group,
    _long_varint,
    _change_type,
)
