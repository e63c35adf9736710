"""The folder of compiled executables: what is removed from it, and what stays."""

from __future__ import annotations

import logging
import os
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from pullback_server.engine.executables import Executables

PLENTY = 1 << 30
NOW = time.time() + 1000.0
WHOLE = zlib.compress(os.urandom(1 << 19))


def put(folder: Path, digit: str, data: bytes = WHOLE, age: float = 500.0) -> Path:
    """An entry as JAX names it, so many seconds old."""
    path = folder / f"jit_f-{digit * 64}-cache"
    path.write_bytes(data)
    for changed in (path, folder):
        os.utime(changed, (NOW - age, NOW - age))
    return path


@pytest.mark.parametrize(
    "data",
    [b"", WHOLE[:1], WHOLE[: len(WHOLE) // 2], WHOLE[:-1], bytes(99)],
    ids=["empty", "a byte", "half", "all but a byte", "zeros"],
)
def test_what_was_cut_off_goes(tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is told by its path; what is whole, is not zlib's, or is not JAX's, stays."""
    cut, whole = put(tmp_path, "a", data), put(tmp_path, "b")
    other = put(tmp_path, "c", b"\x28\xb5\x2f\xfd another format")
    foreign = tmp_path / "thesis.txt-cache"
    foreign.touch()
    with caplog.at_level(logging.WARNING):
        Executables(tmp_path, PLENTY).tidy(NOW)
    assert sorted(tmp_path.iterdir()) == sorted((whole, other, foreign))
    assert str(cut) in caplog.text


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    """One that has just come may not be whole yet; if it is not after a minute it goes."""
    cut = put(tmp_path, "a", WHOLE[:-1], age=5.0)
    executables = Executables(tmp_path, PLENTY)
    executables.tidy(NOW)
    assert cut.exists()
    executables.tidy(NOW + 60.0)
    assert not cut.exists()


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    """So many that the rest is within the bound; reading counts, where the file system notes it."""
    paths = {
        digit: put(tmp_path, digit, age=age) for digit, age in zip("abcd", (400, 300, 200, 100), strict=True)
    }
    os.utime(paths["a"], (NOW - 1, NOW - 400))
    Executables(tmp_path, 2 * len(WHOLE)).tidy(NOW)
    assert sorted(tmp_path.iterdir()) == sorted((paths["a"], paths["d"]))


def test_no_bomb(tmp_path: Path) -> None:
    """What would be a gigabyte is looked at in parts."""
    compressor = zlib.compressobj()
    bomb = b"".join(compressor.compress(bytes(1 << 24)) for _ in range(16)) + compressor.flush()
    path = put(tmp_path, "a", bomb)
    tracemalloc.start()
    Executables(tmp_path, PLENTY).tidy(NOW)
    assert tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()
    assert path.exists()


def test_no_folder(tmp_path: Path) -> None:
    """There is none before a worker made it; then it is looked after."""
    folder = tmp_path / "compiled"
    executables = Executables(folder, 1)
    executables.tidy(NOW)
    folder.mkdir()
    put(folder, "a")
    executables.tidy(NOW + 60.0)
    assert not list(folder.iterdir())


def test_nothing_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that nobody changed is not listed again, and a file that was whole is not read again."""
    first = put(tmp_path, "a")
    executables = Executables(tmp_path, PLENTY)
    executables.tidy(NOW)
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", lambda _: pytest.fail("it was listed again"))
        executables.tidy(NOW + 60.0)
    put(tmp_path, "a", b"\x78 another, under the old time")
    second = put(tmp_path, "b", WHOLE[:-1], age=30.0)
    executables.tidy(NOW + 60.0)
    assert first.exists()
    assert not second.exists()
