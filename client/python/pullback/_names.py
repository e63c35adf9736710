"""Resource names: `functions/{function}` and `functions/{function}/revisions/{digest}`.

Those of functions of other tenants have `tenants/{tenant}/` before; users write `tenant/name`.
"""

from __future__ import annotations

import re
from typing import Final

from pullback.errors import invalid_argument
from pullback.program.naming import is_name

_DIGEST: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_SHORT: Final = 12


def function_name(name: str) -> str:
    """The resource name of a function, by `name`, or `tenant/name` for one of another tenant.

    Raises:
        InvalidArgumentError: If a part of the name has other characters than letters, digits, `.`, `_` and
            `-`, begins with a sign, or is longer than 128.
    """
    tenant, slash, function = name.rpartition("/")
    if not is_name(function) or (slash and not is_name(tenant)):
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"{name!r} is no name of a function; use up to 128 letters, digits, '.', '_' and '-', "
            "a letter or digit first; and for a function of another tenant the tenant's name and '/' before",
            name=name,
        )
    return f"tenants/{tenant}/functions/{function}" if slash else f"functions/{function}"


def revision_name(reference: str) -> str:
    """The resource name of what a user wrote: a function's name, and perhaps `@` and 8 digits or more.

    Raises:
        InvalidArgumentError: If it is neither.
    """
    name, at, digest = reference.partition("@")
    if not at:
        return function_name(name)
    if not _DIGEST.fullmatch(digest):
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"{digest!r} is no digest of a revision; give 8 to 64 of its hexadecimal digits, as in "
            f"{name}@0123abcd",
            digest=digest,
        )
    return f"{function_name(name)}/revisions/{digest}"


def spelled_name(resource: str) -> str:
    """What a user writes for a resource name: `name` or `tenant/name`, with `@` and a revision's digest."""
    name, _, digest = resource.partition("/revisions/")
    tenant, _, function = name.removeprefix("tenants/").rpartition("functions/")
    return f"{tenant}{function}{f'@{digest}' if digest else ''}"


def short_name(resource: str) -> str:
    """The last part of a resource name, such as a revision's digest."""
    return resource.rpartition("/")[2]


def default_name(wanted: str, digest: str) -> str:
    """A name for what is registered without one: its own if it has one that serves, else its digest's."""
    return wanted if is_name(wanted) else f"program-{digest[:_SHORT]}"
