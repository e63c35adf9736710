"""For all tests: whoever compares with local JAX runs JAX in the tests' own process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from numerics.summary import print_totals

from pullback.precautions import take_precautions

take_precautions()

# A machine that others use as well is slow at times, and no test is about that.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="module")
def small_heap() -> Iterator[None]:
    """Has garbage collected of what the module makes only: with all that JAX has made that takes seconds."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals of the exactness table.

    It stands here since the process that only distributes tests reads no other conftest.
    """
    print_totals(terminalreporter)
