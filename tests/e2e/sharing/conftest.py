"""A real server whose worker several tenants share."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from e2e.server.conftest import start  # noqa: F401 -- a fixture
from e2e.server.running import Running, Start

import pullback

TENANTS = {
    "flood": "weight = 1.0",
    "calm": "weight = 1.0",
    "heavy": "weight = 3.0",
    "single": "max_in_flight = 1",
    "slow": "requests_per_second = 4\nburst = 2",
}
Connect = Callable[..., pullback.Client]


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """A token for each tenant."""
    return {tenant: secrets.token_urlsafe(32) for tenant in TENANTS}


@pytest.fixture(scope="module")
def server(start: Start, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Running:  # noqa: F811 -- the fixture
    """A server with one worker that knows the tenants."""
    path = tmp_path_factory.mktemp("tenants") / "tenants.toml"
    lines = []
    for tenant, limits in TENANTS.items():
        digest = hashlib.sha256(tokens[tenant].encode()).hexdigest()
        lines += [f"[tenants.{tenant}]", limits, f"[[tenants.{tenant}.tokens]]", 'name = "it"']
        lines += [f'sha256 = "{digest}"', 'role = "administer"']
    path.write_text("\n".join(lines))
    return start(f"--tenants-file={path}")


@pytest.fixture
def connect(server: Running, tokens: dict[str, str]) -> Any:
    """Makes clients of a tenant."""
    with ExitStack() as stack:

        def connect(tenant: str, **options: Any) -> pullback.Client:
            client = pullback.connect(server.address, token=tokens[tenant], **options)
            return stack.enter_context(client)

        yield connect


@pytest.fixture(scope="module")
def registered(server: Running, tokens: dict[str, str]) -> None:
    """Functions of the tenants: `work`, a point of which takes about a millisecond, or `little`."""

    def work(x: Any) -> Any:
        a = jnp.outer(x, x) / 48.0
        for _ in range(10):
            a = jnp.sin(a @ a) + 0.1
        return jnp.sum(a)

    little = pullback.Formula("sum(x**2)", x="f64[3]")
    for tenant in TENANTS:
        with pullback.connect(server.address, token=tokens[tenant]) as client:
            if tenant in {"calm", "slow"}:
                client.register(little, name="little")
            else:
                client.register(work, np.zeros(48), name="work")
