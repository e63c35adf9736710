"""The insides of JAX that we lean on; these tests say what broke when a new version of JAX moves them."""

from __future__ import annotations

import pytest

pytest.importorskip("jax")
