"""What the caller of the request that is being served may do."""

from __future__ import annotations

from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.tenants.callers import Role, caller

_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


def require(role: Role) -> None:
    """Makes sure that the caller has a role, or a higher one. Everybody who calls may evaluate.

    Raises:
        AccessError: PERMISSION_DENIED if the caller has a lower one.
    """
    who = caller.get()
    if _RANKS[who.role] < _RANKS[role]:
        raise service_error(
            Reason.PERMISSION_DENIED,
            f"{who.subject!r} of the tenant {who.tenant!r} may {who.role}, and this takes {role}; use "
            "credentials with that role, or ask an administrator",
            tenant=who.tenant,
            role=who.role.value,
            needed=role.value,
        )
