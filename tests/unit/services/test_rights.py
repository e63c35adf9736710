"""What roles allow."""

from __future__ import annotations

import pytest

from pullback_server.errors import AccessError, Reason, RequestError
from pullback_server.services.rights import reader, require, require_tenant
from pullback_server.tenants.callers import ANYBODY, Caller, Role, caller
from pullback_server.tenants.directory import EVERYBODY, Directory, Tenant

GRANTED = {
    Role.EVALUATE: {Role.EVALUATE},
    Role.REGISTER: {Role.EVALUATE, Role.REGISTER},
    Role.ADMINISTER: set(Role),
}


def test_without_identities_everybody_may_everything() -> None:
    """The caller is anybody."""
    assert require(Role.ADMINISTER, "to look") is ANYBODY


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("role", Role)
def test_a_role_has_the_rights_of_those_before_it(role: Role, needed: Role) -> None:
    """And of no other; the error says which one it takes."""
    who = Caller("red", "ci", role)
    token = caller.set(who)
    try:
        if needed in GRANTED[role]:
            assert require(needed, "to look") is who
        else:
            with pytest.raises(AccessError, match=f"to look takes the role '{needed.value}'") as caught:
                require(needed, "to look")
            assert caught.value.metadata == {"role": role.value, "needed": needed.value}
    finally:
        caller.reset(token)


def test_administrators_see_everything() -> None:
    """Others see as their tenant."""
    assert [reader(Caller("red", "ci", role)) for role in Role] == ["red", "red", None]


@pytest.mark.parametrize("name", ["", "*", "blue", "a/b", "x" * 129, "../red"])
def test_tenants_that_are_not_there(name: str) -> None:
    """Neither one that nobody knows, nor one that cannot be."""
    directory = Directory([Tenant("red")])
    require_tenant(directory, "red")
    with pytest.raises(RequestError) as caught:
        require_tenant(directory, name)
    assert caught.value.reason is Reason.TENANT_NOT_FOUND


def test_where_any_tenant_may_be() -> None:
    """Only what cannot be a name is refused."""
    require_tenant(EVERYBODY, "blue")
    with pytest.raises(RequestError):
        require_tenant(EVERYBODY, "a/b")
