"""Tests of the exporter need JAX; the light client's tests do not."""

from __future__ import annotations

import pytest

pytest.importorskip("jax")
