"""What can be wrong with a message."""

from __future__ import annotations


class CodecError(ValueError):
    """Bytes that are no message of the expected kind."""
