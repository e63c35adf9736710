"""Embedded servers whose parents are killed: nothing is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
import sys, pullback
with pullback.local("cpu:1", data_dir=sys.argv[1] if sys.argv[1:] else None) as client:
    client.register(pullback.Formula("sum(x)", x="f64[3]"), name="f")
    print("serving", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("own", [True, False])
def test_nothing_is_left_of_a_killed_parent(tmp_path: Path, own: bool) -> None:
    """The server ends, and takes its temporary folder along, but no folder that the user has named."""
    temporary, data = tmp_path / "tmp", tmp_path / "data"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *([] if own else [str(data)])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"serving\n"
        assert list(temporary.glob("pullback-*"))
        parent.kill()
    end = time.monotonic() + 20
    while any(temporary.glob("pullback-*")):
        assert time.monotonic() < end, list(temporary.rglob("*"))
        time.sleep(0.05)
    assert (data / "functions" / "f.json").exists() == (not own)
