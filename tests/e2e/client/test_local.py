"""The embedded server: its life, and what a client can do with it without JAX."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import psutil
import pytest

import pullback
from pullback.export import export
from pullback.program.wire import program_to_bytes


def descendants() -> set[int]:
    """The process ids of all children of this process, and theirs."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def temporary_folders() -> set[Path]:
    """The folders of embedded servers."""
    return set(Path(tempfile.gettempdir()).glob("pullback-*"))


@pytest.fixture
def own_folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders of servers of other tests are not seen. A short path, since that of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="own-") as own:
        monkeypatch.setattr(tempfile, "tempdir", own)
        yield


@pytest.mark.usefixtures("own_folders")
def test_nothing_is_left() -> None:
    """Neither a process nor a folder, also where the block ends by an exception."""
    before = descendants()
    with pytest.raises(KeyError):
        _fail_while_serving(before)
    assert descendants() <= before
    assert not temporary_folders()


def _fail_while_serving(before: set[int]) -> None:
    with pullback.local("cpu:1") as client:
        assert client.health() is pullback.Health.SERVING
        assert len(descendants() - before) >= 2
        assert temporary_folders()
        raise KeyError


def test_functions_outlive_a_server_with_a_data_dir(tmp_path: Path) -> None:
    """What was registered is there again; asynchronously too."""
    with pullback.local("cpu:1", data_dir=tmp_path) as client:
        registered = client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="squares")

    async def reopen() -> np.ndarray:
        async with pullback.aio.local("cpu", data_dir=tmp_path) as client:
            function = await client.function("squares")
            assert function.revision == registered.revision
            return await function.grad([1, 2, 3])

    np.testing.assert_array_equal(asyncio.run(reopen()), [2.0, 4.0, 6.0])


@pytest.mark.usefixtures("own_folders")
@pytest.mark.parametrize("devices", ["abacus"])
def test_a_server_that_does_not_start(devices: str) -> None:
    """Its last words are in the error, and nothing is left."""
    before = descendants()
    with pytest.raises(pullback.ServerStartError, match=devices), pullback.local(devices):
        pass
    assert descendants() <= before
    assert not temporary_folders()


def test_a_parent_that_dies_takes_its_server_along() -> None:
    """A killed process leaves no server behind."""
    code = """
        import os, signal, pullback
        with pullback.local("cpu:1") as client:
            print(client.address, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    before = set(psutil.pids())
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True
    )
    assert result.stdout.startswith(("unix:", "127.0.0.1:")), result.stderr
    started = [psutil.Process(pid) for pid in set(psutil.pids()) - before if psutil.pid_exists(pid)]
    servers = [process for process in started if "pullback_server" in " ".join(_command(process))]
    _, alive = psutil.wait_procs(servers, timeout=30)
    assert not alive


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_client_needs_no_jax(client: pullback.Client) -> None:
    """It registers a formula and differentiates it, and JAX is not loaded."""
    code = f"""
        import sys, pullback
        with pullback.connect({client.address!r}) as client:
            f = client.register(pullback.Formula("sum(x**3) * y", x="f64[2]", y="f64[]"), name="cubes")
            print(f.grad([1, 2], 2).tolist(), f.hessian([1, 2], 2).tolist(), float(f([1, 2], y=2)))
        heavy = {{"jax", "jaxlib", "ml_dtypes", "pullback_server", "pullback.export"}} & set(sys.modules)
        assert not heavy, heavy
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True
    )
    assert result.stdout.split("\n")[0] == "[6.0, 24.0] [[12.0, 0.0], [0.0, 24.0]] 18.0", result.stderr


def test_the_catalogue(client: pullback.Client) -> None:
    """Register, list by label, get by a digest's beginning, compile ahead, delete."""
    first = client.register(pullback.Formula("2*x", x="f64[]"), name="c", labels={"kind": "test"})
    second = client.register(pullback.Formula("3*x", x="f64[]"), name="c", labels={"kind": "test"})
    assert [f.revision for f in client.functions(labels={"kind": "test"})] == [second.revision]
    assert client.function(f"c@{first.digest[:10]}")(2.0) == 4.0
    assert client.function("c")(2.0) == 6.0
    assert first(2.0) == 4.0
    assert [r.digest for r in client.function("c").details.revisions] == [first.digest, second.digest]
    assert second.compile(want=["grad"], batch=8).state == "ready"
    assert second.compile(want=["grad"], batch=8).cached
    client.delete("c")
    with pytest.raises(pullback.NotFoundError):
        client.function("c")


def test_a_large_program_and_a_large_batch(client: pullback.Client) -> None:
    """A program over one megabyte is uploaded in chunks; a batch of 16 megabytes fits one message."""
    # Each small enough to stand in the program itself.
    tables = np.random.default_rng(0).normal(size=(12, 25_000))
    program = export(lambda x: sum(x * jnp.sum(jnp.asarray(table)) for table in tables), np.zeros(4))
    assert len(program_to_bytes(program)) > tables.nbytes
    f = client.register(program, name="table")
    xs = np.ones((500_000, 4))
    np.testing.assert_allclose(f(xs)[-1], np.full(4, tables.sum()), rtol=1e-10)
