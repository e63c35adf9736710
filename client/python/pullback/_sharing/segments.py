"""Memory of this process that a server on the same machine has mapped as well."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import sys
import weakref
from typing import Final

from pullback.memory.blocks import Blocks
from pullback.memory.handover import LONGEST_TEXT, MESSAGE_BYTES, HandoverError, decode_answer, encode_offer

if sys.platform == "linux":
    import fcntl

_TIMEOUT: Final = 5.0
_MAP_FIXED: Final = 0x10  # <sys/mman.h>


class Segment:
    """A piece of memory, its blocks, and the connection that keeps it at the server.

    Attributes:
        number: What the server calls it.
        memory: The memory; unmapped when nothing refers to it any more.
        blocks: Which parts of it are in use.

    Args:
        number: What the server calls it.
        memory: The memory.
        connection: Over which it was handed over; nothing waits for it any more.
    """

    __slots__ = ("__weakref__", "_connection", "blocks", "memory", "number")

    def __init__(self, number: int, memory: mmap.mmap, connection: socket.socket) -> None:
        self.number = number
        self.memory = memory
        self.blocks = Blocks(len(memory))
        connection.setblocking(False)
        self._connection = connection
        weakref.finalize(self, connection.close)

    @property
    def known(self) -> bool:
        """Whether the server still has it."""
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # it says nothing after its answer, so this is the end of the connection

    def take_back(self) -> None:
        """Has the server give it up; here it stays mapped while it is in use."""
        self._connection.close()

    def make_private(self) -> None:
        """Puts a copy of the blocks in use in the place of the memory, which nobody else has."""
        begins = self.blocks.taken.items()
        kept = [(begin, self.memory[begin : begin + length]) for begin, length in begins]
        first = ctypes.c_char.from_buffer(self.memory)
        _map_anew(ctypes.addressof(first), len(self.memory))
        del first
        for begin, data in kept:
            self.memory[begin : begin + len(data)] = data


def hand_over(path: str, size: int) -> Segment:
    """Makes a segment, and hands it to the server.

    Args:
        path: The path of the side channel.
        size: The bytes of the segment; they take memory once they are written.

    Raises:
        OSError: If there is no such memory, or nobody listens.
        HandoverError: If the server refuses it.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_TIMEOUT)
        connection.connect(path)
        return _offer(connection, size)
    except BaseException:
        connection.close()
        raise


def _offer(connection: socket.socket, size: int) -> Segment:
    descriptor = _sealed(size)
    try:
        memory = mmap.mmap(descriptor, size)
        socket.send_fds(connection, [encode_offer(size)], [descriptor])
        return Segment(_answer(connection), memory, connection)
    finally:
        os.close(descriptor)


def _answer(connection: socket.socket) -> int:
    """The number that the server gives; a refusal ends the connection, so all of it is read."""
    said = b""
    while len(said) < MESSAGE_BYTES + LONGEST_TEXT:
        part = connection.recv(MESSAGE_BYTES + LONGEST_TEXT - len(said))
        said += part
        if not part or (len(said) == MESSAGE_BYTES and said[4:8] == bytes(4)):
            break
    return decode_answer(said)


def _map_anew(address: int, size: int) -> None:
    """Maps zeros at an address, in the place of what is mapped there."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    mapped = library.mmap(address, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if mapped != address:
        raise OSError(ctypes.get_errno(), "shared memory cannot be mapped anew after a fork")


def _sealed(size: int) -> int:
    """A file of zeros without a name that stays as long as it is: the server could be killed otherwise."""
    if sys.platform != "linux":
        raise HandoverError("only Linux has memory that can be handed over")
    descriptor = os.memfd_create("pullback-client", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
