"""Resource names: `functions/{function}` and `functions/{function}/revisions/{digest}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error

_FUNCTION: Final = r"(?P<function>[A-Za-z0-9][A-Za-z0-9._-]{0,127})"
_NAME: Final = re.compile(rf"functions/{_FUNCTION}(?:/revisions/(?P<digest>[0-9a-f]{{8,64}}))?", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A resource name, taken apart.

    Attributes:
        function: The function's name.
        digest: The revision's digest or its first digits, at least 8; None for the current revision.
    """

    function: str
    digest: str | None = None


def parse_name(text: str) -> ResourceName:
    """Takes a resource name apart.

    Raises:
        RequestError: MALFORMED_REQUEST if it is none.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise _malformed(text, '"functions/{function}" or "functions/{function}/revisions/{digest}"')
    return ResourceName(match["function"], match["digest"])


def parse_function_name(text: str) -> str:
    """The function's name in `functions/{function}`.

    Raises:
        RequestError: MALFORMED_REQUEST if it is anything else.
    """
    match = _NAME.fullmatch(text)
    if match is None or match["digest"]:
        raise _malformed(text, '"functions/{function}"')
    return match["function"]


def function_name(function: str) -> str:
    """The resource name of a function."""
    return f"functions/{function}"


def revision_name(function: str, digest: str) -> str:
    """The resource name of a revision."""
    return f"functions/{function}/revisions/{digest}"


def is_digest(text: str) -> bool:
    """Whether a text is a whole digest: 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def _malformed(text: str, expected: str) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"{text[:300]!r} is no name of the form {expected}; a function's name has letters, digits, "
        '".", "_" and "-", begins with a letter or digit, and has at most 128 characters; a digest has '
        "8 to 64 hexadecimal digits",
        name=text[:300],
    )
