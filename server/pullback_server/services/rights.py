"""What the role of a caller allows."""

from __future__ import annotations

from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.tenants.callers import Caller, Role, caller

_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


def require(role: Role, action: str) -> Caller:
    """The caller, if the role allows it.

    Args:
        role: The least role that does.
        action: What it is for, for the message: `to register functions`.

    Raises:
        AccessError: PERMISSION_DENIED if the caller has a lesser role.
    """
    who = caller.get()
    if _RANKS[who.role] < _RANKS[role]:
        raise service_error(
            Reason.PERMISSION_DENIED,
            f"{who.subject!r} of the tenant {who.tenant!r} has the role {who.role.value!r}; {action} takes "
            f"the role {role.value!r}, which an administrator of the server can give",
            role=who.role.value,
            needed=role.value,
        )
    return who
