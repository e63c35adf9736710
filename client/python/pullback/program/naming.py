"""How functions and tenants may be called."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""A regular expression: up to 128 letters, digits, `.`, `_` and `-` of ASCII, a letter or digit first."""

_WHOLE: Final = re.compile(NAME)


def is_name(text: str) -> bool:
    """Whether a function or a tenant can have this name."""
    return _WHOLE.fullmatch(text) is not None
