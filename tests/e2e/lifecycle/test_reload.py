"""SIGHUP: a server reads its settings anew while it serves, and stays as it was where they are wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pullback


def test_settings_are_read_anew(replica: Callable[..., Any], tmp_path: Path) -> None:
    """A changed level of the log counts at once; a bad file changes nothing, and the log says so."""
    file = tmp_path / "pullback.toml"
    file.write_text('log_level = "WARNING"\n')
    server = replica(f"--config={file}", "--drain-seconds=0")
    server.start()

    def reload(content: str, words: str) -> None:
        file.write_text(content)
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while words not in server.log.read_text():
            assert time.monotonic() < end, server.log.read_text()
            time.sleep(0.02)

    reload("bogus = 1\n", "everything stays as it was")
    reload('log_level = "INFO"\nmax_batch = 7\n', "these settings have changed and take a restart: max_batch")
    with pullback.connect(f"127.0.0.1:{server.port}") as client:
        assert client.capabilities().limits.batch != 7
    assert server.stop() == 0
    assert "draining" in server.log.read_text()
