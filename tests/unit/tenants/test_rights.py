"""Roles: each has the rights of those before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pullback_server.errors import AccessError, Reason
from pullback_server.tenants.callers import Caller, Role, caller
from pullback_server.tenants.rights import require


@pytest.fixture(params=list(Role))
def role(request: pytest.FixtureRequest) -> Iterator[Role]:
    """The role of whoever calls."""
    reset = caller.set(Caller("acme", "ci", request.param))
    yield request.param
    caller.reset(reset)


@pytest.mark.parametrize("needed", list(Role))
def test_a_role_has_the_rights_of_those_before_it(role: Role, needed: Role) -> None:
    """What takes no more than one's own role is granted, and nothing else."""
    if list(Role).index(needed) <= list(Role).index(role):
        require(needed)
        return
    with pytest.raises(AccessError, match=f"'acme' may {role}, and this takes {needed}") as caught:
        require(needed)
    assert caught.value.reason is Reason.PERMISSION_DENIED
    assert caught.value.metadata == {"tenant": "acme", "role": role, "needed": needed}


def test_anybody_may_everything_on_a_server_without_identities() -> None:
    """Where nobody set a caller, nothing is refused."""
    require(Role.ADMINISTER)
