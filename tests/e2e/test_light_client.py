"""A client without extras, in an environment of its own, uses what somebody else registered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import pullback

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
import pullback
with pullback.connect(sys.argv[1]) as client:
    print(*client.function("shared").grad([1.0, 2.0, 3.0]))
heavy = {"jax", "jaxlib", "pullback_server", "ml_dtypes", "click"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.slow
def test_light_client_in_a_fresh_environment(client: pullback.Client, tmp_path: Path) -> None:
    """The gradient arrives, JAX is not loaded, and three packages are all that was installed."""
    client.register(lambda x: jnp.sum(x**3), np.zeros(3), name="shared")
    _run(sys.executable, "-m", "venv", str(tmp_path))
    python = str(tmp_path / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT))
    installed = _run(python, "-m", "pip", "list", "--format", "freeze").split()
    names = {line.partition("==")[0].lower() for line in installed}
    assert names - {"pip", "setuptools", "typing_extensions"} == {"pullback", "numpy", "grpcio", "protobuf"}
    assert _run(python, "-c", SCRIPT, client.address).split() == ["3.0", "12.0", "27.0"]


def _run(*command: str) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout
