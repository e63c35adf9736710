"""What a confined process cannot do any more, tried by real processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pullback_server.compute.sandbox import landlock, seccomp
from pullback_server.compute.sandbox.confinement import Held

CONFINED = Path(__file__).with_name("confined.py")
REFUSED = [
    *("tcp", "udp", "unix", "program", "write beside", "write home", "read beside", "remove", "chmod"),
    *("attach", "signal", "mount", "read memory"),
]
UNDER_TMP = ["write beside", "remove"]
"""What a driver may do in /tmp, where the folder of the tests is."""
ALLOWED = ["write cache", "make folder", "write null", "read library", "send", "signal itself"]


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    """A folder with a secret in it, beside where the cache will be."""
    (tmp_path / "secret").write_text("a key")
    return tmp_path


def confined(folder: Path, mode: str, platforms: str = "cpu") -> subprocess.CompletedProcess[str]:
    """Runs the process that confines itself."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        descriptor = str(theirs.fileno())
        command = [sys.executable, str(CONFINED), str(folder / "cache"), str(os.getpid()), descriptor]
        return subprocess.run(
            [*command, mode, platforms],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )


def require_kernel() -> None:
    """Skips where the kernel or the system lacks what is tested."""
    if not landlock.version():
        pytest.skip("this kernel has no Landlock, or it is off")
    try:
        seccomp.library()
    except seccomp.SeccompMissingError as error:
        pytest.skip(str(error))


def found(process: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the process printed."""
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def test_a_worker_on_a_cpu(folder: Path) -> None:
    """No sockets, programs, foreign files or processes, in any thread; its cache and its socket stay."""
    require_kernel()
    answer = found(confined(folder, "required"))
    assert set(answer["held"]) >= {
        Held.FILES,
        Held.SECRETS,
        Held.NETWORK,
        Held.PROGRAMS,
        Held.PROCESSES,
        Held.SYSTEM,
    }
    for thread in ("main", "thread"):
        assert {name: answer[thread][name] for name in REFUSED} == dict.fromkeys(REFUSED, "PermissionError")
        assert {name: answer[thread][name] for name in ALLOWED} == dict.fromkeys(ALLOWED, "done")
    assert (folder / "secret").read_text() == "a key"
    assert not (folder / "beside").exists()


def test_a_worker_on_a_gpu(folder: Path) -> None:
    """Drivers and toolkits of GPUs read what they like and run programs; the rest holds as well."""
    require_kernel()
    answer = found(confined(folder, "required", "cuda,cpu"))
    assert Held.PROGRAMS not in answer["held"]
    assert Held.SECRETS not in answer["held"]
    refused = [name for name in REFUSED if name not in ("program", "read beside", "read memory", *UNDER_TMP)]
    assert {name: answer["thread"][name] for name in refused} == dict.fromkeys(refused, "PermissionError")
    assert answer["main"]["program"] == "done"


def test_no_confinement(folder: Path) -> None:
    """What is switched off does nothing, and says so."""
    process = confined(folder, "off")
    answer = found(process)
    assert answer["held"] == []
    assert answer["main"]["unix"] == answer["main"]["program"] == answer["main"]["write beside"] == "done"
    assert "not confined, since sandbox is off" in process.stderr


def test_what_is_required_and_not_there(folder: Path) -> None:
    """On a platform of which nothing is known, a worker that must be confined does not go on."""
    process = confined(folder, "required", "tpu,cpu")
    assert process.returncode == 1
    assert "SandboxError: the worker cannot be confined in files, network, processes" in process.stderr
    answer = found(confined(folder, "auto", "tpu,cpu"))
    assert answer["held"] == []
    assert "nothing is known of what tpu needs" in confined(folder, "auto", "tpu,cpu").stderr
