"""What tenants use, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass

from pullback_server.errors import Reason, service_error
from pullback_server.tenants.directory import Tenant


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant uses.

    Attributes:
        functions: How many functions it has.
        stored_bytes: The bytes of its programs and constants, registered or uploaded, each counted once.
    """

    functions: int
    stored_bytes: int


def require_place(tenant: Tenant, functions: int) -> None:
    """Makes sure that a tenant may have one more function than it has.

    Raises:
        PressureError: TENANT_FULL if not.
    """
    limit = tenant.max_functions
    if limit is not None and functions >= limit:
        raise service_error(
            Reason.TENANT_FULL,
            f"the tenant {tenant.name!r} has {functions} functions, and may have {limit} (max_functions); "
            "delete one, register a new revision of one, or ask the server's administrator for more",
            limit=str(limit),
            value=str(functions),
            setting="max_functions",
        )


def require_bytes(tenant: Tenant, stored: int) -> None:
    """Makes sure that a tenant may store so many bytes.

    Raises:
        PressureError: TENANT_FULL if not.
    """
    limit = tenant.max_stored_bytes
    if limit is not None and stored > limit:
        raise service_error(
            Reason.TENANT_FULL,
            f"with this the tenant {tenant.name!r} would store {stored} bytes, and may store {limit} "
            "(max_stored_bytes); delete functions, or ask the server's administrator for more",
            limit=str(limit),
            value=str(stored),
            setting="max_stored_bytes",
        )
