"""Tensors, and places in shared memory.

Writers put a tensor's elements last, so that a reader uses them where they lie.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from pullback.codec.errors import CodecError
from pullback.codec.fields import Buffer, Pieces, fields, merged, read_length, read_varint, signed, varint

_ELEMENT: Final = 0x08
_SIZE: Final = 0x10
_SHAPE: Final = 0x12
_DATA: Final = 0x1A
_SHARED: Final = 0x22
_SEGMENT: Final = 0x09
_OFFSET: Final = 0x10
_LENGTH: Final = 0x18
_MORE: Final = 0x80
_MOST_AXES: Final = 256


class Shared(NamedTuple):
    """A place in a segment of shared memory.

    Attributes:
        segment: The number of the segment.
        offset: Where it begins, in bytes from the beginning of the segment.
        length: How many bytes it has.
    """

    segment: int
    offset: int
    length: int


class Tensor(NamedTuple):
    """An array on the wire; nothing says yet that its parts fit together.

    Attributes:
        element: The number of its element type (pullback.v1.ElementType).
        shape: The size of each axis.
        data: The elements: raw, little-endian, row-major; items of one byte.
        shared: Where the elements lie instead.
    """

    element: int
    shape: tuple[int, ...]
    data: Buffer = b""
    shared: Shared | None = None


def tensor_parts(tag: bytes, tensor: Tensor) -> tuple[bytes, Buffer]:
    """A field with a tensor: what stands before the elements, and the elements.

    Args:
        tag: The field's tag.
        tensor: The tensor.
    """
    element, shape, data, shared = tensor
    if shared is None:
        return _before_data(tag, element, shape, len(data)), data
    return _tagged(tag, _head(element, shape) + field_of_shared(b"\x22", shared), len(data)), data


def field_of_shared(tag: bytes, shared: Shared) -> bytes:
    """A field with a place in shared memory.

    Args:
        tag: The field's tag.
        shared: The place.
    """
    segment = b"\x09" + shared.segment.to_bytes(8, "little") if shared.segment else b""
    offset = b"\x10" + varint(shared.offset) if shared.offset else b""
    length = b"\x18" + varint(shared.length) if shared.length else b""
    return tag + varint(len(segment) + len(offset) + len(length)) + segment + offset + length


def read_tensor(buffer: Buffer, at: int, end: int) -> Tensor:
    """The tensor between two places of a buffer; its elements are a slice of it.

    Raises:
        CodecError: If there is none.
    """
    begin, element = at, 0
    shape: tuple[int, ...] = ()
    if end - at > 4:  # noqa: PLR2004 -- an element type, the tag and the length of a shape
        if buffer[at] == _ELEMENT and buffer[at + 1] < _MORE:
            element = buffer[at + 1]
            at += 2
        if buffer[at] == _SHAPE and buffer[at + 1] < _MORE:
            begin_of_shape = at + 2
            at = begin_of_shape + buffer[at + 1]
            if at < end:
                shape = _short_shape(bytes(buffer[begin_of_shape:at]))
        if at < end and buffer[at] == _DATA:
            at, stop = read_length(buffer, at + 1, end)
            if stop == end:
                return Tensor(element, shape, memoryview(buffer)[at:end], None)
    return _read_any_tensor(buffer, begin, end)


def read_shared(buffer: Buffer, pieces: Pieces) -> Shared:
    """The place in shared memory that a field names, which may stand there several times.

    Raises:
        CodecError: If it is none.
    """
    buffer, at, end = merged(buffer, pieces)
    segment = offset = length = 0
    for tag, value, stop in fields(buffer, at, end):
        if tag == _SEGMENT:
            segment = int.from_bytes(buffer[value:stop], "little")
        elif tag == _OFFSET:
            offset = value
        elif tag == _LENGTH:
            length = value
    return Shared(segment, offset, length)


def _read_any_tensor(buffer: Buffer, at: int, end: int) -> Tensor:
    """A tensor whose fields stand in any order."""
    element = 0
    shape: list[int] = []
    data: Buffer = b""
    shared: Pieces = []
    for tag, value, stop in fields(buffer, at, end):
        if tag == _ELEMENT:
            element = signed(value, 32)
        elif tag == _SIZE:
            shape.append(signed(value, 64))
        elif tag == _SHAPE:
            shape.extend(_read_shape(buffer, value, stop))
        elif tag == _DATA:
            data = memoryview(buffer)[value:stop]
        elif tag == _SHARED:
            shared.append((value, stop))
    if len(shape) > _MOST_AXES:
        raise CodecError(f"a tensor has {len(shape)} axes, and may have {_MOST_AXES}")
    return Tensor(element, tuple(shape), data, read_shared(buffer, shared) if shared else None)


def _read_shape(buffer: Buffer, at: int, end: int) -> tuple[int, ...]:
    if end - at > _MOST_AXES * 10:
        raise CodecError(f"a shape has {end - at} bytes, too many for {_MOST_AXES} axes")
    shape = []
    while at < end:
        size, at = read_varint(buffer, at)
        shape.append(signed(size, 64))
    if at != end:
        raise CodecError(f"the shape before byte {end} ends inside a number")
    return tuple(shape)


@lru_cache(maxsize=4096)
def _short_shape(raw: bytes) -> tuple[int, ...]:
    return _read_shape(raw, 0, len(raw))


@lru_cache(maxsize=4096)
def _before_data(tag: bytes, element: int, shape: tuple[int, ...], length: int) -> bytes:
    return _tagged(tag, _head(element, shape), length)


def _head(element: int, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(map(varint, shape))
    head = b"\x08" + varint(element) if element else b""
    return head + (b"\x12" + varint(len(sizes)) + sizes if shape else b"")


def _tagged(tag: bytes, head: bytes, length: int) -> bytes:
    """A tensor before its elements, with the tag and length of the field that it is."""
    head += b"\x1a" + varint(length) if length else b""
    return tag + varint(len(head) + length) + head
