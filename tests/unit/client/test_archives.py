"""Archives as files: whole or not there, and sent in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

import pullback
from pullback._archives import import_requests, whole_file


def test_a_whole_file(tmp_path: Path) -> None:
    """Has its name at the end only, and takes the place of an older one."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails(tmp_path: Path) -> None:
    """Leaves the older one, and nothing else."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"old")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_parts(tmp_path: Path, size: int) -> None:
    """Come to the whole file, none of them empty or larger than a mebibyte."""
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    with import_requests(path) as requests:
        for _ in range(2):
            chunks = [request.chunk for request in requests()]
            assert b"".join(chunks) == path.read_bytes()
            assert all(0 < len(chunk) <= 1 << 20 for chunk in chunks)


def test_tries(tmp_path: Path) -> None:
    """A second try begins at the beginning, whatever the first still reads; the end closes both files."""
    path = tmp_path / "a.tar"
    path.write_bytes(b"x" * (3 << 20))
    with import_requests(path) as requests:
        first = requests()
        next(first)
        second = requests()
        assert len(list(second)) == 3
        assert len(list(first)) == 2
        cut_off = requests()
        next(cut_off)
    with pytest.raises(ValueError, match="closed"):
        next(cut_off)


@pytest.mark.parametrize("name", ["missing", "."])
async def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """Both clients say so in Python's own words, before they call anybody."""
    with pullback.connect("127.0.0.1:1") as client, pytest.raises(OSError, match=str(tmp_path)):
        client.administration.import_registry(tmp_path / name)
    async with pullback.aio.connect("127.0.0.1:1") as other:
        with pytest.raises(OSError, match=str(tmp_path)):
            await other.administration.import_registry(tmp_path / name)
