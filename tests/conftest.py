"""For all tests: whoever compares with local JAX runs JAX in the tests' own process."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from numerics.summary import print_totals

from pullback.precautions import take_precautions

take_precautions()

# A machine that others use as well is slow at times, and no test is about that.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the totals of the exactness table.

    It stands here since the process that only distributes tests reads no other conftest.
    """
    print_totals(terminalreporter)
