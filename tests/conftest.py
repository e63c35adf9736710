"""For all tests: whoever compares with local JAX runs JAX in the tests' own process."""

from __future__ import annotations

from pullback.precautions import take_precautions

take_precautions()
