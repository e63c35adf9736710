"""Landlock: a process gives up rights to files, TCP and signals, for itself and its threads to come.

Three system calls and no library: those on PyPI are young and each of one author. Source: the kernel's
Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path
from typing import Final

# The numbers are the same on all architectures.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_TELL_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

_WITH_REFER: Final = 2
_WITH_TRUNCATE: Final = 3
_WITH_TCP: Final = 4
_WITH_SCOPES: Final = 6
_TCP: Final = 0b11
"""Binding and connecting."""
_SCOPES: Final = 0b11
"""Abstract Unix sockets and signals: out of the processes that are confined together."""


class Right(IntFlag):
    """What can be done with a file or a directory."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14


READ: Final = Right.READ_FILE | Right.READ_DIR
"""Reading files and listing directories."""
WRITE: Final = (
    READ
    | Right.WRITE_FILE
    | Right.REMOVE_DIR
    | Right.REMOVE_FILE
    | Right.MAKE_DIR
    | Right.MAKE_REG
    | Right.REFER
    | Right.TRUNCATE
)
"""Reading, and writing, making and removing files and directories."""
_OF_FILES: Final = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE


def version() -> int:
    """The version of the kernel's interface; 0 where there is none or it is off."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(_CREATE_RULESET, None, 0, _TELL_VERSION))


def restrict(rules: Iterable[tuple[Path, Right]]) -> int:
    """Gives up all rights to files but those of the rules, and TCP and signals where the kernel can.

    Files that are open stay so, and so do threads that run already, which keep their rights. It cannot be
    taken back.

    Args:
        rules: Rights below a directory, or to a file; what is not there is passed over.

    Returns:
        The version of the interface that it was done with.

    Raises:
        OSError: If the kernel has no Landlock, or refuses.
    """
    known = version()
    if not known:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock, or it is off")
    handled = _handled(known)
    net, scopes = _TCP if known >= _WITH_TCP else 0, _SCOPES if known >= _WITH_SCOPES else 0
    ruleset = _require(_call(_CREATE_RULESET, *_sized(struct.pack("QQQ", handled, net, scopes), known), 0))
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        _require(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _require(_call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return known


def _handled(known: int) -> Right:
    later = (Right.REFER if known < _WITH_REFER else 0) | (Right.TRUNCATE if known < _WITH_TRUNCATE else 0)
    return Right(~0) & ~Right(later)


def _sized(attributes: bytes, known: int) -> tuple[bytes, int]:
    """The attributes as long as the kernel knows them: rights to files, then TCP, then scopes."""
    length = 8 * (1 + (known >= _WITH_TCP) + (known >= _WITH_SCOPES))
    return attributes[:length], length


def _allow(ruleset: int, path: Path, rights: Right) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _require(_call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *wide)
    return result


def _require(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
