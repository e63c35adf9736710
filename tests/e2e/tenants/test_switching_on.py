"""Identities are switched on over the data of a server that had none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from e2e.server.conftest import start  # noqa: F401 -- a fixture
from e2e.server.running import Start, formula

import pullback

X = np.array([1.0, 2.0, 3.0])


def test_functions_of_nobody_are_given_to_tenants(
    start: Start,  # noqa: F811 -- the fixture
    tenants_file: Path,
    tokens: dict[tuple[str, str], str],
) -> None:
    """Until then nobody sees them but on a server without identities; nothing is lost either way."""
    before = start(wait=False)
    for name in "fgh":
        before.register(name, formula("sum(x)", x="f64[3]"))
    before.process.terminate()
    assert before.process.wait(30) == 0
    server = start(f"--tenants-file={tenants_file}", folder=before.folder)
    with (
        pullback.connect(server.address, token=tokens["red", "register"]) as red,
        pullback.connect(server.address, token=tokens["ops", "administer"]) as ops,
    ):
        for client in (red, ops):
            assert list(client.functions(tenant="*")) == []
        assert {tenant.name: tenant.functions for tenant in ops.administration.tenants()}[""] == 3
        red.register(pullback.Formula("sum(x) * 2", x="f64[3]"), name="g")
        assert ops.administration.adopt("red", ["f"]).adopted == ("f",)
        given = ops.administration.adopt("red")
        assert (given.adopted, given.left) == (("h",), ("g",))
        assert [function(X) for function in red.functions()] == [6.0, 12.0, 6.0]
        with pytest.raises(pullback.NotFoundError):
            ops.function("f")
