"""What jaxlib 0.10 gets wrong on a CPU comes out right."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from pullback import precautions

LIKELIHOOD = """
from pullback.precautions import take_precautions
take_precautions()
import jax, jax.numpy as jnp, numpy as np

def likelihood(p):
    x = jnp.linspace(0.0, 1.0, 48)
    kernel = jnp.exp(p[0] - jnp.exp(p[1]) * (x[:, None] - x) ** 2) + jnp.exp(p[2]) * jnp.eye(48)
    factor = jnp.linalg.cholesky(kernel)
    return jnp.sum(jax.scipy.linalg.solve_triangular(factor, x, lower=True) ** 2)
"""
BATCHES = """
points = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
jacobian = jax.jit(jax.vmap(jax.jacfwd(likelihood)))
for _ in range(5):
    jacobian(points).block_until_ready()
"""


@pytest.mark.slow
def test_a_batch_of_gaussian_processes_ends() -> None:
    """Without the precaution, jaxlib 0.10 hangs here on a machine of two cores."""
    subprocess.run([sys.executable, "-c", dedent(LIKELIHOOD + BATCHES)], check=True, timeout=250)


def test_what_the_user_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool size and a use of the library that somebody chose are kept, other flags too."""
    monkeypatch.setattr(precautions, "version", lambda _: "0.10.2")
    monkeypatch.setenv("NPROC", "7")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/somewhere")
    precautions.take_precautions()
    precautions.take_precautions()
    flags = precautions.os.environ["XLA_FLAGS"].split()
    assert flags[0] == "--xla_dump_to=/somewhere"
    assert [flag.partition("=")[0] for flag in flags[1:]] == ["--xla_cpu_experimental_ynn_fusion_type"]
    assert precautions.os.environ["NPROC"] == "7"


@pytest.mark.parametrize("installed", ["0.11.0", "0.12.0.1", "1.0"])
def test_later_versions_are_left_alone(monkeypatch: pytest.MonkeyPatch, installed: str) -> None:
    """Nothing is set where nothing is wrong."""
    monkeypatch.setattr(precautions, "version", lambda _: installed)
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    precautions.take_precautions()
    assert not {"NPROC", "XLA_FLAGS"} & set(precautions.os.environ)


@pytest.mark.parametrize(
    ("installed", "chosen", "expected"),
    [("0.10.2", None, True), ("0.10.2", "1", True), ("0.10.2", "4", False), ("0.11.0", None, False)],
)
def test_how_many_threads_there_are(
    monkeypatch: pytest.MonkeyPatch, installed: str, chosen: str | None, expected: bool
) -> None:
    """One where the precaution says so, unless somebody chose otherwise."""
    monkeypatch.setattr(precautions, "version", lambda _: installed)
    monkeypatch.delenv("NPROC", raising=False)
    if chosen is not None:
        monkeypatch.setenv("NPROC", chosen)
    assert precautions.single_threaded() is expected
