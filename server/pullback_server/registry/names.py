"""Resource names.

    functions/{function}                                        of the caller's own tenant
    functions/{function}/revisions/{digest}
    tenants/{tenant}/functions/{function}                       of any tenant
    tenants/{tenant}/functions/{function}/revisions/{digest}

Functions of a server without identities belong to the tenant with the empty name, whom only the short form
names, and only its own callers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from pullback.program.naming import NAME
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.functions import Function

_NAME: Final = re.compile(
    rf"(?:tenants/(?P<tenant>{NAME})/)?functions/(?P<function>{NAME})(?:/revisions/(?P<digest>[0-9a-f]{{8,64}}))?",
    re.ASCII,
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Key(NamedTuple):
    """By what a function is found.

    Attributes:
        tenant: The name of the tenant that it belongs to.
        function: Its name among those of the tenant.
    """

    tenant: str
    function: str


def key_of(function: Function) -> Key:
    """By what a function is found."""
    return Key(function.tenant, function.name)


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A resource name, taken apart.

    Attributes:
        function: The function's name.
        digest: The revision's digest or its first digits, at least 8; None for the current revision.
        tenant: The tenant that the function belongs to.
    """

    function: str
    digest: str | None = None
    tenant: str = ""

    @property
    def key(self) -> Key:
        """By what the function is found."""
        return Key(self.tenant, self.function)


def parse_name(text: str, home: str = "") -> ResourceName:
    """Takes a resource name apart.

    Args:
        text: The name.
        home: The tenant of whoever wrote it, which the short form means.

    Raises:
        RequestError: MALFORMED_REQUEST if it is none.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise _malformed(
            text,
            '"functions/{function}" or "functions/{function}/revisions/{digest}", '
            'with "tenants/{tenant}/" before it for those of another tenant',
        )
    return ResourceName(match["function"], match["digest"], match["tenant"] or home)


def parse_function_name(text: str, home: str = "") -> Key:
    """By what the function of a resource name without a revision is found.

    Args:
        text: The name.
        home: The tenant of whoever wrote it, which the short form means.

    Raises:
        RequestError: MALFORMED_REQUEST if it is anything else.
    """
    match = _NAME.fullmatch(text)
    if match is None or match["digest"]:
        raise _malformed(text, '"functions/{function}" or "tenants/{tenant}/functions/{function}"')
    return Key(match["tenant"] or home, match["function"])


def function_name(key: Key, home: str = "") -> str:
    """The resource name of a function, for callers of the tenant `home`."""
    return f"{'' if key.tenant == home else f'tenants/{key.tenant}/'}functions/{key.function}"


def revision_name(key: Key, digest: str, home: str = "") -> str:
    """The resource name of a revision, for callers of the tenant `home`."""
    return f"{function_name(key, home)}/revisions/{digest}"


def is_digest(text: str) -> bool:
    """Whether a text is a whole digest: 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def _malformed(text: str, expected: str) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"{text[:300]!r} is no name of the form {expected}; the names of functions and tenants have letters, "
        'digits, ".", "_" and "-", begin with a letter or digit, and have at most 128 characters; a digest '
        "has 8 to 64 hexadecimal digits",
        name=text[:300],
    )
