"""What roles allow."""

from __future__ import annotations

import pytest

from pullback_server.errors import AccessError
from pullback_server.services.rights import require
from pullback_server.tenants.callers import ANYBODY, Caller, Role, caller

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
