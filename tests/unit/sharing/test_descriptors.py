"""Memory that could kill the server, or that it could not use, is refused."""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
from pathlib import Path

import pytest
from sharing_memory import Make, open_descriptors

from pullback_server.sharing.descriptors import RefusedError, check, mapped

pytestmark = pytest.mark.usefixtures("small_heap")


def test_sealed_memory_is_taken(memfd: Make) -> None:
    """A sealed memfd of the size that was offered passes."""
    check(memfd(4096), 4096)
    check(memfd(4097, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL), 4097)


@pytest.mark.parametrize(
    ("seals", "words"),
    [
        (0, "F_SEAL_SHRINK"),
        (fcntl.F_SEAL_SHRINK, "F_SEAL_SEAL"),
        (fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL, "F_SEAL_SHRINK"),
        (fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE, "F_SEAL_WRITE"),
    ],
)
def test_seals(memfd: Make, seals: int, words: str) -> None:
    """Without the seals that keep it as it is, or with one that keeps results out, it is refused."""
    descriptor = memfd(4096, seals)
    with pytest.raises(RefusedError, match=words):
        check(descriptor, 4096)


def test_files_are_refused(tmp_path: Path) -> None:
    """A file can be cut short by anyone who can write to it."""
    (tmp_path / "file").write_bytes(bytes(4096))
    with (tmp_path / "file").open("r+b") as file, pytest.raises(RefusedError, match="no memfd"):
        check(file.fileno(), 4096)


@pytest.mark.parametrize("size", [0, 4095, 4097, 1 << 62])
def test_sizes(memfd: Make, size: int) -> None:
    """What is offered must be what is there."""
    descriptor = memfd(4096)
    with pytest.raises(RefusedError, match="4096 bytes"):
        check(descriptor, size)


def test_huge_pages_are_refused(memfd: Make) -> None:
    """Huge pages may not be there any more when they are touched."""
    descriptor = memfd(0, flags=os.MFD_HUGETLB)
    with pytest.raises(RefusedError, match="MFD_HUGETLB"):
        check(descriptor, 0)


def test_memory_is_shared_and_given_back(memfd: Make) -> None:
    """What one side writes the other reads; with the last view, mapping and descriptor go."""
    before = open_descriptors()
    descriptor = memfd(8192)
    with mmap.mmap(descriptor, 8192) as theirs:
        view = mapped(descriptor, 8192)[4096:].data
        theirs[4100] = 7
        view[1] = 9
        assert (view[4], theirs[4097]) == (7, 9)
    gc.collect()
    assert open_descriptors() > before
    del view
    gc.collect()
    assert open_descriptors() == before
