"""What a client hands over: checks that its memory can be used without danger, and maps it.

Whoever can shrink a file that others have mapped kills them with SIGBUS when they touch what is gone. So the
file must be one of memory (memfd_create(2)) that is sealed against it for good; and of ordinary pages, since
huge ones can run out between the mapping and the touch.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from typing import Final

import numpy as np

from pullback_server.model.memory import Bytes

_FUTURE_WRITE: Final = 0x10  # F_SEAL_FUTURE_WRITE of <linux/fcntl.h>
_NEEDED: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_REFUSED: Final = fcntl.F_SEAL_WRITE | _FUTURE_WRITE


class RefusedError(Exception):
    """What is handed over will not do; says why and what to do."""


def check(descriptor: int, size: int) -> None:
    """Checks a descriptor.

    Args:
        descriptor: What came.
        size: How many bytes it should have.

    Raises:
        RefusedError: If it is no memfd, is not sealed, or has another size.
    """
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        raise RefusedError(
            "the descriptor is no memfd; make it with memfd_create(MFD_ALLOW_SEALING)"
        ) from error
    if seals & _NEEDED != _NEEDED:
        raise RefusedError("the memfd can be shrunk; seal it with F_SEAL_SHRINK and F_SEAL_SEAL")
    if seals & _REFUSED:
        raise RefusedError("the memfd is sealed against writing; hand it over without F_SEAL_WRITE")
    if os.fstatvfs(descriptor).f_bsize != mmap.PAGESIZE:
        raise RefusedError("the memfd has huge pages, which can run out; make it without MFD_HUGETLB")
    actual = os.fstat(descriptor).st_size
    if size <= 0 or actual != size:
        raise RefusedError(f"the memfd has {actual} bytes, and {size} were offered; offer what it has")


def mapped(descriptor: int, size: int) -> Bytes:
    """The memory of a descriptor that was checked, u8[size].

    It is unmapped and the descriptor closed when the array and all that was made of it are gone.

    Raises:
        OSError: If it cannot be mapped; the descriptor is left open.
    """
    memory: Bytes = np.frombuffer(mmap.mmap(descriptor, size), np.uint8)
    weakref.finalize(memory, os.close, descriptor)
    return memory
