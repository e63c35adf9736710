"""With what priority a client's calls wait, and how a server is told. Without I/O."""

from __future__ import annotations

from typing import Final, Literal, get_args

from pullback._credentials import Authorization
from pullback.errors import invalid_argument

Priority = Literal["low", "normal", "high"]
"""Where calls have to wait, those of a higher priority go before others of the same tenant."""

_KEY: Final = "pullback-priority"


def shown(authorization: Authorization | None, priority: Priority) -> Authorization | None:
    """What every call of a client shows: its token, and its priority where that is not the normal one.

    Args:
        authorization: Gives what shows its token; None if it has none.
        priority: The priority.

    Raises:
        InvalidArgumentError: If there is no such priority.
    """
    if priority not in get_args(Priority):
        raise invalid_argument(
            "MALFORMED_REQUEST", f"there is no priority {priority!r}; give one of low, normal and high"
        )
    if priority == "normal":
        return authorization
    own = ((_KEY, priority),)
    return (lambda: own) if authorization is None else lambda: (*authorization(), *own)
