"""What callers may do: by their role, and with whose functions.

A function that a caller may not see is answered as one that is not there. One that it sees and may not change
is refused with PERMISSION_DENIED.
"""

from __future__ import annotations

from typing import Final

from pullback.program.naming import is_name
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.names import Key, ResourceName, function_name
from pullback_server.registry.registry import Registry
from pullback_server.tenants.callers import Caller, Role, caller
from pullback_server.tenants.directory import Directory

_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


def require(role: Role, action: str) -> Caller:
    """The caller, if the role allows it.

    Args:
        role: The least role that does.
        action: What it is for, for the message: `registering a function`.

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


def require_tenant(directory: Directory, name: str) -> None:
    """Makes sure that there is a tenant of a name.

    Raises:
        RequestError: TENANT_NOT_FOUND if there is none.
    """
    if not (is_name(name) and name in directory):
        raise service_error(
            Reason.TENANT_NOT_FOUND,
            f"no tenant has the name {name[:300]!r}; the server's tenants file has their names",
            tenant=name[:300],
        )


def reader(who: Caller) -> str | None:
    """As whom a caller sees functions: as its tenant; None for administrators, who see all."""
    return None if who.role is Role.ADMINISTER else who.tenant


def require_rights_to(registry: Registry, key: Key, who: Caller) -> None:
    """Makes sure that a caller may change a function: one of its own tenant, or any for administrators.

    Raises:
        RequestError: FUNCTION_NOT_FOUND if it may not see the function.
        AccessError: PERMISSION_DENIED if it sees the function only.
    """
    if who.role is not Role.ADMINISTER:
        require_own(registry, key, who)


def require_own(registry: Registry, key: Key, who: Caller) -> None:
    """Makes sure that a function belongs to the tenant of a caller, or would if there were one.

    Raises:
        RequestError: FUNCTION_NOT_FOUND if it belongs to another and the caller may not see it.
        AccessError: PERMISSION_DENIED if the caller sees it only.
    """
    if key.tenant != who.tenant:
        registry.resolve(ResourceName(key.function, tenant=key.tenant), reader(who))
        raise _belongs_to_another(key, who)


def _belongs_to_another(key: Key, who: Caller) -> ServiceError:
    return service_error(
        Reason.PERMISSION_DENIED,
        f"{function_name(key, who.tenant)} belongs to the tenant {key.tenant!r}, whose callers alone may do "
        f"this, and {who.subject!r} is of the tenant {who.tenant!r}; register it under a name of your own",
        function=key.function,
        tenant=key.tenant,
    )
