"""Blobs: kept under their digest, checked when read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pullback_server.errors import StoredDataError
from pullback_server.registry.blobs import DirectoryBlobs


@pytest.mark.parametrize("data", [b"", b"abc", bytes(1_000_000)])
def test_keep_and_read(tmp_path: Path, data: bytes) -> None:
    """Bytes of any length come back under their SHA-256."""
    blobs = DirectoryBlobs(tmp_path)
    digest = blobs.keep(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.read(digest) == data
    assert blobs.digests() == {digest}


def test_kept_twice(tmp_path: Path) -> None:
    """What is there already is not written again."""
    blobs = DirectoryBlobs(tmp_path)
    before = blobs.path(blobs.keep(b"abc")).stat().st_ino
    assert blobs.path(blobs.keep(b"abc")).stat().st_ino == before


@pytest.mark.parametrize("content", [b"", b"ab", b"abcd", None])
def test_damage(tmp_path: Path, content: bytes | None) -> None:
    """A blob that is cut, grown or gone is named, and mended by keeping its bytes again."""
    blobs = DirectoryBlobs(tmp_path)
    digest = blobs.keep(b"abc")
    if content is None:
        blobs.path(digest).unlink()
    else:
        blobs.path(digest).write_bytes(content)
    assert not blobs.sound(digest)
    with pytest.raises(StoredDataError, match=digest) as caught:
        blobs.read(digest)
    assert str(blobs.path(digest)) in caught.value.message
    assert blobs.keep(b"abc") == digest
    assert blobs.read(digest) == b"abc"


def test_remove(tmp_path: Path) -> None:
    """A removed blob is gone; removing it again changes nothing."""
    blobs = DirectoryBlobs(tmp_path)
    digest = blobs.keep(b"abc")
    blobs.remove(digest)
    blobs.remove(digest)
    assert blobs.digests() == frozenset()
