"""What `import pullback` offers, and what it does not bring in."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pullback

ROOT = Path(__file__).parents[3]

EXPORTED = """
Capabilities Client ConflictError DataLossError DeadlineExceededError DerivativeKind DerivativeSupport
Device Exported Formula Function FunctionDetails Graph Health InvalidArgumentError LimitExceededError
Limits NotFoundError Onnx OverloadedError PermissionDeniedError Program PullbackError Results Revision
ServerError ServerStartError Sparse StableHLO Timing Tls Torch UnavailableError Want aio connect errors
local
"""


def run(code: str) -> None:
    """Runs code in a fresh interpreter."""
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_exported_names() -> None:
    """A name that comes or goes is a decision, and this list is where it is taken."""
    assert sorted(pullback.__all__) == EXPORTED.split()


@pytest.mark.parametrize("name", EXPORTED.split())
def test_every_exported_name_is_there(name: str) -> None:
    """The façade finds each name in the module that defines it."""
    assert getattr(pullback, name).__name__.rpartition(".")[2] == name
    assert name in dir(pullback)


def test_an_unknown_name_is_refused() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'gradient'"):
        _ = pullback.gradient  # type: ignore[attr-defined]


def test_the_version_is_the_distribution_s() -> None:
    """The version stands twice; here it is held together."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == pullback.__version__


@pytest.mark.parametrize(
    "module", ["pullback", "pullback.v1", "pullback.v1.program_pb2", "pullback.program.wire"]
)
def test_programs_as_data_bring_in_no_grpc(module: str) -> None:
    """A server's worker, and a tool that only reads programs, load neither gRPC nor JAX."""
    run(f"import {module}, sys; assert not {{'grpc', 'jax', 'ml_dtypes'}} & set(sys.modules), module")


@pytest.mark.parametrize("module", ["pullback.client", "pullback.aio"])
def test_the_client_brings_in_neither_jax_nor_the_server(module: str) -> None:
    """The light client stays light."""
    heavy = "{'jax', 'jaxlib', 'ml_dtypes', 'pullback_server', 'pullback.export', 'click'}"
    run(f"import {module}, sys; assert not {heavy} & set(sys.modules), sorted(sys.modules)")
