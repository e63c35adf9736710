"""Mutations of bytes that know nothing of what the bytes mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_EXTREMES: Final = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_WIDTHS: Final = (1, 2, 4, 8)
_LONGEST_PIECE: Final = 64

Edit = Callable[[bytearray, Random, Sequence[bytes]], None]
"""Changes bytes in place; the last argument is what else there is to take pieces from."""


def mutated(data: bytes, dice: Random, others: Sequence[bytes] = ()) -> bytes:
    """The bytes after one to eight small changes; fewer are likelier."""
    changed = bytearray(data)
    for _ in range(min(8, 1 + int(dice.expovariate(0.7)))):
        dice.choice(_EDITS)(changed, dice, others)
    return bytes(changed)


def _place(data: bytearray, dice: Random) -> int:
    return dice.randrange(len(data) + 1)


def _piece(data: bytes | bytearray, dice: Random) -> slice:
    start = dice.randrange(len(data) + 1)
    return slice(start, start + dice.randint(1, _LONGEST_PIECE))


def _flip_bit(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _set_byte(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    if data:
        data[dice.randrange(len(data))] = dice.randrange(256)


def _set_number(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    width, place = dice.choice(_WIDTHS), _place(data, dice)
    number = dice.choice(_EXTREMES) % (1 << 8 * width)
    aligned = place - place % width
    data[aligned : aligned + width] = number.to_bytes(width, "little")


def _add_to_byte(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    if data:
        place = dice.randrange(len(data))
        data[place] = (data[place] + dice.randint(-16, 16)) % 256


def _cut(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    del data[_piece(data, dice)]


def _truncate(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    del data[_place(data, dice) :]


def _double(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    place = _place(data, dice)
    data[place:place] = data[_piece(data, dice)] * dice.choice((1, 1, 1, 2, 50))


def _insert(data: bytearray, dice: Random, _: Sequence[bytes]) -> None:
    place = _place(data, dice)
    data[place:place] = dice.randbytes(dice.randint(1, 16))


def _splice(data: bytearray, dice: Random, others: Sequence[bytes]) -> None:
    other = dice.choice(others) if others else bytes(data)
    data[_piece(data, dice)] = other[_piece(other, dice)]


_EDITS: Final[tuple[Edit, ...]] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_byte,
    _set_number,
    _add_to_byte,
    _cut,
    _truncate,
    _double,
    _insert,
    _splice,
)
