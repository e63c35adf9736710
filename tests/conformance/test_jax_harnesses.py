"""JAX's harnesses for its primitives: plain `jax.export`, lifted, equals JAX in value and derivatives.

The public test data of openxla/stablehlo was made from them.
"""

from __future__ import annotations

import pytest
from conformance.harnesses import examine, groups

pytest.importorskip("absl", reason="JAX's harnesses are built with absl")

_AGREE = ("equal", "close")
_SAMPLE = [names[len(names) // 2] for names in groups().values()]


def _failures(name: str) -> dict[str, str]:
    return {f"{name} {what}": found for what, found in examine(name).items() if found not in _AGREE}


@pytest.mark.slow
@pytest.mark.parametrize("name", _SAMPLE)
def test_some_of_each_group(name: str) -> None:
    """A harness of each group, from its middle."""
    assert not _failures(name)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", groups())
def test_all_of_a_group(group: str) -> None:
    """All harnesses of a group."""
    failures: dict[str, str] = {}
    for name in groups()[group]:
        failures |= _failures(name)
    assert not failures
