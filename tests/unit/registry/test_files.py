"""Files that are there whole or not at all, and the lock of a directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pullback_server.registry.files import DirectoryInUseError, locked, write_atomically

WRITER = """
import sys
from pathlib import Path
from pullback_server.registry.files import write_atomically
print("ready", flush=True)
while True:
    for letter in b"ab":
        write_atomically(Path(sys.argv[1]), bytes([letter]) * 2_000_000)
"""


def test_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    """Folders are made; a second write replaces the first; nothing else is left."""
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_who_may_read(tmp_path: Path) -> None:
    """Nobody but their owner opens what is stored."""
    write_atomically(tmp_path / "a" / "b" / "file", b"x")
    found = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "file"]
    assert [path.stat().st_mode & 0o077 for path in found] == [0, 0, 0]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """Where the file cannot be put in place, the temporary one is removed."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """However a writer is killed, the file has one content or the other."""
    path = tmp_path / "file"
    for delay in (0.0, 0.003, 0.011, 0.027, 0.05):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(delay)
            writer.send_signal(signal.SIGKILL)
        if path.exists():
            assert path.read_bytes() in (b"a" * 2_000_000, b"b" * 2_000_000)


def test_lock(tmp_path: Path) -> None:
    """A directory has one server at a time; the other is told which process has it."""
    folder = tmp_path / "new" / "data"
    with locked(folder):
        with pytest.raises(DirectoryInUseError, match=str(os.getpid())), locked(folder):
            pytest.fail("two servers have the directory")
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"
    with locked(folder):
        assert folder.is_dir()


def test_lock_of_a_killed_process(tmp_path: Path) -> None:
    """The lock of a process that was killed is free."""
    code = (
        "import sys, time; from pathlib import Path; from pullback_server.registry.files import locked\n"
        "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DirectoryInUseError, match=str(holder.pid)), locked(tmp_path):
            pytest.fail("two processes have the directory")
        holder.kill()
    with locked(tmp_path):
        assert (tmp_path / "lock").exists()
