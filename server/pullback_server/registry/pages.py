"""Page tokens: where in the order of names the next page begins.

A token holds the tenant and the name of the last function of the page before, so that pages stay stable while
functions come and go.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.model.functions import Registered
from pullback_server.registry.names import Key, key_of

DEFAULT_PAGE: Final = 100
LARGEST_PAGE: Final = 1000


def page_size(asked: int) -> int:
    """The size of a page for what a client asks for; 0 means the default.

    Raises:
        RequestError: MALFORMED_REQUEST if it is negative.
    """
    if asked < 0:
        raise service_error(
            Reason.MALFORMED_REQUEST, f"page_size is {asked}; give 0 for the default of {DEFAULT_PAGE}"
        )
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)


def encode_token(last: Key) -> str:
    """The token of the page after the function `last`."""
    text = f"{last.tenant}/{last.function}" if last.tenant else last.function
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_token(token: str) -> Key:
    """The function after which a page begins; with empty names for the first page.

    Raises:
        RequestError: MALFORMED_REQUEST if the token is none of ours.
    """
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"page_token {token[:100]!r} is no token of this server; give next_page_token of the page before",
        ) from error
    tenant, _, function = text.rpartition("/")
    return Key(tenant, function)


def cut(functions: Sequence[Registered], size: int) -> tuple[Sequence[Registered], str]:
    """The first page of functions in the order of their keys, and the token of the next, or an empty one."""
    page = functions[:size]
    return page, encode_token(key_of(page[-1].function)) if len(functions) > size else ""
