"""The priority of a client's calls, as it is told to a server."""

from __future__ import annotations

import pytest

import pullback
from pullback._priority import Priority, shown

TOKEN = (("authorization", "Bearer secret"),)


def test_normal_is_not_told() -> None:
    """The normal priority costs nothing: no call shows anything for it."""
    assert shown(None, "normal") is None
    authorization = shown(lambda: TOKEN, "normal")
    assert authorization is not None
    assert authorization() == TOKEN


@pytest.mark.parametrize("priority", ["low", "high"])
def test_others_are_told(priority: Priority) -> None:
    """Any other goes with each call, beside the token where there is one."""
    alone, both = shown(None, priority), shown(lambda: TOKEN, priority)
    assert alone is not None
    assert both is not None
    assert alone() == (("pullback-priority", priority),)
    assert both() == (*TOKEN, ("pullback-priority", priority))


async def test_unknown() -> None:
    """What is no priority is refused when the client is made, by both twins."""
    for connect in (pullback.connect, pullback.aio.connect):
        with pytest.raises(pullback.InvalidArgumentError, match=r"'urgent'; give one of low, normal"):
            connect("localhost:1", priority="urgent")  # type: ignore[arg-type]
