"""Freed memory stays with the process, as the system counts it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Makes and frees 32 MB again and again; prints how many pages the system had to hand out for the last ten.
_PROGRAM = """
import resource, sys
from pullback_server.allocation import keep_freed_memory
assert keep_freed_memory(int(sys.argv[1]))
for _ in range(3):
    bytes(bytearray(b"x") * 32_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytes(bytearray(b"x") * 32_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize("nbytes", [1 << 30, 1 << 40])
def test_freed_memory_is_used_again(nbytes: int) -> None:
    """Ten times 32 MB in and out need no new pages: without it they would be 156,000."""
    arguments = [sys.executable, "-c", _PROGRAM, str(nbytes)]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout
    assert int(printed) < 1000
