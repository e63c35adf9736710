"""A client's process keeps the memory of large messages, unless it is told not to."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

# Reads and sends as a client does, then makes and frees 32 MB; prints how many pages the system handed out.
_PROGRAM = """
import resource, sys
from pullback._channel import announcement
from pullback._methods import EVALUATE
from pullback.codec.evaluation import Response, Timing, encode_response
from pullback.codec.tensors import Tensor

nbytes = int(sys.argv[2])
if sys.argv[1] == "sent":
    announcement(bytes(nbytes))
else:
    EVALUATE.deserialize(encode_response(Response("r", Timing(), ((Tensor(15, (), bytes(nbytes)),),))))
for _ in range(3):
    bytes(bytearray(b"x") * 32_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    bytes(bytearray(b"x") * 32_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(way: str, nbytes: int, environment: dict[str, str]) -> int:
    """How many pages a process took that had a message of so many bytes."""
    command = [sys.executable, "-c", _PROGRAM, way, str(nbytes)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    return int(done.stdout)


pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")


@pytest.mark.parametrize("way", ["sent", "received"])
def test_large_messages_use_freed_memory_again(way: str) -> None:
    """Ten times 32 MB in and out need no new pages."""
    assert pages(way, 200_000, {}) < 1000


@pytest.mark.parametrize(("nbytes", "environment"), [(1000, {}), (2_000_000, {"PULLBACK_MALLOC": "default"})])
def test_malloc_stays_as_it_is(nbytes: int, environment: dict[str, str]) -> None:
    """In a process that has no large messages, and in one whose environment says so."""
    assert pages("received", nbytes, environment) > 10_000
