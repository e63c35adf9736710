"""A worker that starts anew finds in JAX's cache on disk what one before it compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pullback_server.engine.executables import Executables

WORKER = """
import sys
from pullback.precautions import take_precautions
take_precautions()
import jax, numpy as np
from pullback_server.compute.compiler.persistence import keep_executables
from pullback_server.compute.kernel import Kernel
from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.model.evaluation import Kind
from pullback_server.model.quantities import Quantity, Want

missed = []
jax.monitoring.register_event_listener(
    lambda event, **_: missed.append(event) if event.endswith("/cache_misses") else None
)
keep_executables(sys.argv[1])
leaf = parse_tensor_type("f64[5]")
program = Program(Formula("sum(sin(x) ** 2)"), Signature((Argument("x", LEAF, (leaf,)),)))
kernel = Kernel()
kernel.load(digest(program), program_to_bytes(program))
wants = (Want(Quantity.VALUE), Want(Quantity.HESSIAN, argnums=(0,)))
x = np.linspace(0, 1, 5)
for batched, points, data in ((None, None, x), ((True,), 3, np.stack([x] * 3))):
    made = kernel.prepare(Kind(digest(program), wants, (leaf,), batched=batched))
    values, hessians = kernel.run(made, [data.tobytes()], points).buffers
    np.testing.assert_allclose(np.frombuffer(values), np.sum(np.sin(data) ** 2, -1))
print(len(missed))
"""


def misses(folder: Path) -> int:
    """How many executables a new process had to compile for a Hessian at a point and at a batch."""
    command = [sys.executable, "-c", WORKER, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    return int(done.stdout)


@pytest.mark.slow
def test_a_new_worker_compiles_nothing(tmp_path: Path) -> None:
    """The first one compiles; the second one reads all of it."""
    assert misses(tmp_path) >= 2
    assert misses(tmp_path) == 0


@pytest.mark.slow
def test_an_executable_that_was_cut_off(tmp_path: Path) -> None:
    """JAX's own names and format are those that the front looks for: what is cut off goes, the rest stays."""
    misses(tmp_path)
    entries = sorted(tmp_path.glob("*-cache"))
    os.truncate(entries[0], entries[0].stat().st_size - 1)
    Executables(tmp_path, 1 << 40).tidy(time.time() + 3600.0)
    assert sorted(tmp_path.glob("*-cache")) == entries[1:]
    assert misses(tmp_path) == 1
    assert len(list(tmp_path.glob("*-cache"))) == len(entries)
    Executables(tmp_path, 1).tidy(time.time() + 3600.0)
    assert not list(tmp_path.glob("*-cache"))
