"""For tests that need PyTorch: `./dev test --torch` runs them; elsewhere they are skipped."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NoReturn

import pytest

from pullback_server.compute.kernel import configure_jax

configure_jax()
HERE = all(importlib.util.find_spec(name) is not None for name in ("torch", "torchax"))


class Missing(pytest.Module):
    """A file of tests whose imports are not there."""

    def collect(self) -> NoReturn:
        """Skips all of it."""
        pytest.skip("needs PyTorch and torchax; ./dev test --torch runs it", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skips what could not even be imported."""
    return None if HERE else Missing.from_parent(parent, path=module_path)


@pytest.fixture(autouse=True)
def _seed() -> None:
    importlib.import_module("torch").manual_seed(0)
