"""What tenants use, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.functions import Function
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
        raise _full(
            f"the tenant {tenant.name!r} has {functions} functions, and may have {limit} (max_functions); "
            "delete one, register a new revision of one, or ask the server's administrator for more",
            limit,
            functions,
            "max_functions",
        )


def require_revision(function: Function, digest: str, limit: int) -> None:
    """Makes sure that a function may have a revision: one that it has, or one more.

    A function's file is written anew with each, so that a client which registers in a loop, with a constant
    that differs each time, would have it grow without end.

    Raises:
        PressureError: TENANT_FULL if not.
    """
    count = len(function.revisions)
    if count >= limit and all(revision.digest != digest for revision in function.revisions):
        raise _full(
            f"the function {function.name!r} has {count} of at most {limit} revisions (max_revisions); "
            "have what differs be an argument of the function, or delete the function and register it anew",
            limit,
            count,
            "max_revisions",
        )


def require_bytes(tenant: Tenant, stored: int) -> None:
    """Makes sure that a tenant may store so many bytes.

    Raises:
        PressureError: TENANT_FULL if not.
    """
    limit = tenant.max_stored_bytes
    if limit is not None and stored > limit:
        raise _full(
            f"with this the tenant {tenant.name!r} would store {stored} bytes, and may store {limit} "
            "(max_stored_bytes); delete functions, or ask the server's administrator for more",
            limit,
            stored,
            "max_stored_bytes",
        )


def _full(message: str, limit: int, value: int, setting: str) -> ServiceError:
    return service_error(Reason.TENANT_FULL, message, limit=str(limit), value=str(value), setting=setting)
