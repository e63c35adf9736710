"""Resource names: `functions/{function}` and `functions/{function}/revisions/{digest}`."""

from __future__ import annotations

import re
from typing import Final

from pullback.errors import invalid_argument

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_SHORT: Final = 12


def function_name(name: str) -> str:
    """The resource name of a function.

    Raises:
        InvalidArgumentError: If the name has other characters than letters, digits, `.`, `_` and `-`,
            begins with a sign, or is longer than 128.
    """
    if not _NAME.fullmatch(name):
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"{name!r} is no name of a function; use up to 128 letters, digits, '.', '_' and '-', "
            "a letter or digit first",
            name=name,
        )
    return f"functions/{name}"


def revision_name(reference: str) -> str:
    """The resource name of what a user wrote: `name`, or `name@digest` with 8 digits or more.

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


def short_name(resource: str) -> str:
    """The last part of a resource name: a function's name or a revision's digest."""
    return resource.rpartition("/")[2]


def default_name(wanted: str, digest: str) -> str:
    """A name for what is registered without one: its own if it has one that serves, else its digest's."""
    return wanted if _NAME.fullmatch(wanted) else f"program-{digest[:_SHORT]}"
