"""The short form of a chaos run: each fault once, against a real server under load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.faults import FAULTS, RESTARTS

ROOT = Path(__file__).parents[3]
# A front whose worker was stopped a moment ago takes longer to stop than clients try.
SHORT = [name for name in FAULTS if name != "stop-worker"]
RUN = ("--minutes=0.2", "--every=1", "--clients=8", "--seed=1", f"--faults={','.join(SHORT)}")
COMMAND = [sys.executable, "-m", "chaos", *RUN]


@pytest.mark.skipif(sys.platform != "linux", reason="what is open is read from /proc")
def test_nobody_notices() -> None:
    """Every fault that this machine allows is done, and each call of each client has the right answer."""
    done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.splitlines()[-1:] == ["nobody noticed"], done.stdout + done.stderr
    assert done.returncode == 0
    for fault in (*SHORT, *RESTARTS):
        assert f"near {fault}" in done.stdout or f"left out: {fault}, since" in done.stdout
