"""Names that somebody may have meant."""

from __future__ import annotations

import time

from pullback_server.registry.names import Key
from pullback_server.registry.nearness import near


def _keys(*names: str, tenant: str = "acme") -> list[Key]:
    return sorted(Key(tenant, name) for name in names)


def test_a_slip() -> None:
    """A letter too many, too few or another one is noticed; a name that is like none is not."""
    keys = _keys("rosenbrock", "gaussian", "sphere")
    for slip in ("rosenbrok", "rosenbrocks", "vosenbrock"):
        assert near(Key("acme", slip), keys, lambda _: True) == "rosenbrock"
    assert near(Key("acme", "quadratic"), keys, lambda _: True) == ""
    assert near(Key("acme", "sphere2"), [], lambda _: True) == ""


def test_what_must_not_be_told() -> None:
    """Names of other tenants, and those that may not be seen, are not told."""
    keys = _keys("rosenbrock", tenant="bolt")
    assert near(Key("acme", "rosenbrok"), keys, lambda _: True) == ""
    assert near(Key("bolt", "rosenbrok"), keys, lambda _: False) == ""


def test_among_many() -> None:
    """Among very many long names it takes no time that anybody would notice, and the nearest are found."""
    keys = _keys(
        *(f"layer_{number:042d}" for number in range(20_000)), *("x" * 120 + str(n) for n in range(99))
    )
    began = time.perf_counter()
    assert near(Key("acme", f"layer_{777:042d}x"[:48]), keys, lambda _: True) != ""
    assert near(Key("acme", f"layer_{777:041d}"), keys, lambda _: True).startswith("layer_")
    assert near(Key("acme", "x" * 121), keys, lambda _: True) == ""
    assert time.perf_counter() - began < 0.2
