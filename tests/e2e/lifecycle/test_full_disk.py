"""A full disk: what is stored is served, and what is new is refused with the numbers, until there is room."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pullback

X = np.array([1.0, 2.0, 3.0])
LARGE = "sum(" + " + ".join(f"x * {number}" for number in range(3000)) + ")"


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of a mebibyte."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root mounts disks")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 -- as root it is found


def still_serves(client: pullback.Client) -> None:
    """Finds and evaluates what is there, with an executable that cannot be kept."""
    assert [each.name for each in client.functions()] == ["kept"]
    kept = client.function("kept")
    np.testing.assert_array_equal(kept.grad(X), 3 * X**2)
    np.testing.assert_array_equal(kept.hessian(X), np.diag(6 * X))


def refuses(client: pullback.Client) -> None:
    """Says how much room there is."""
    with pytest.raises(pullback.LimitExceededError, match="no room to store") as caught:
        client.register(pullback.Formula(LARGE, x="f64[3]"), name="new")
    assert caught.value.reason == "STORAGE_FULL"
    assert int(caught.value.metadata["free_bytes"]) >= 0
    assert [each.name for each in client.functions()] == ["kept"]


def registers(client: pullback.Client) -> None:
    """Takes what it had refused."""
    new = client.register(pullback.Formula(LARGE, x="f64[3]"), name="new")
    assert new(X) == pytest.approx(sum(range(3000)) * X.sum())


def started(replica: Callable[..., Any], folder: Path | None = None) -> Any:
    """A server with one function."""
    server = replica("--drain-seconds=0")
    server.folder = folder or server.folder
    server.start()
    with pullback.connect(f"127.0.0.1:{server.port}") as client:
        assert client.register(pullback.Formula("sum(x**3)", x="f64[3]"), name="kept")(X) == 36.0
    return server


def test_a_disk_that_is_full(replica: Callable[..., Any], tmp_path: Path) -> None:
    """Registry and compilation cache lie on a disk without room; the server restarts there, too."""
    with small_disk(tmp_path / "disk") as disk:
        server = started(replica, disk / "data")
        fill = disk / "fill"
        with contextlib.suppress(OSError), fill.open("wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
        with pullback.connect(f"127.0.0.1:{server.port}") as client:
            refuses(client)
            still_serves(client)
            server.stop()
            server.start()
            refuses(client)
            still_serves(client)
            fill.unlink()
            registers(client)
        assert server.stop() == 0
        assert not list(disk.rglob(".tmp-*"))


def test_files_that_may_not_grow(replica: Callable[..., Any]) -> None:
    """The same where a limit of the process stands for the disk, which needs no root."""
    server = started(replica)
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, hard))
    with pullback.connect(f"127.0.0.1:{server.port}") as client:
        refuses(client)
        still_serves(client)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        registers(client)
    assert server.stop() == 0
