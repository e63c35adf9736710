"""What JAX says and does of a device that is no CPU; skipped without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def device() -> Any:
    """The first device."""
    import jax

    found = jax.local_devices()[0]
    if found.platform == "cpu":
        pytest.skip("needs a GPU or a TPU")
    return found


def test_a_device_says_how_much_memory_it_has(device: Any) -> None:
    """Tiles follow from it."""
    assert device.memory_stats()["bytes_limit"] > 1 << 30


def test_a_run_is_started_before_it_ends(device: Any) -> None:
    """The next one's inputs may be sent meanwhile, and its result is on its way when it is asked for."""
    import jax

    x = np.ones((2048, 2048), np.float32)
    run = jax.jit(lambda x: jax.lax.fori_loop(0, 200, lambda _, y: y @ x / 2048, x)).lower(x).compile()
    resident = jax.device_put(x, device)
    np.asarray(run(resident))
    result = run(resident)
    assert not result.is_ready()
    result.copy_to_host_async()
    np.testing.assert_allclose(np.asarray(result), x, rtol=1e-3)
