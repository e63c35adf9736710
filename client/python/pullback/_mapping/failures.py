"""What can go wrong with a chunk: what passes by itself, and how the rest is told."""

from __future__ import annotations

from pullback._channel import is_away, wants_new_token
from pullback._mapping.cutting import Chunk
from pullback.errors import ConflictError, OverloadedError, PullbackError, UnavailableError


def passes(error: PullbackError) -> bool:
    """Whether the same chunk may succeed later: the connection, the server or a token failed, not it."""
    if isinstance(error, UnavailableError | OverloadedError | ConflictError):
        return True
    return wants_new_token(error) or is_away(error)


def at_points(error: PullbackError, chunk: Chunk, tries: int = 1) -> PullbackError:
    """The same error, saying at which points of the map it came.

    Args:
        error: What went wrong.
        chunk: What was sent.
        tries: How often.
    """
    after = f" (after {tries} tries without an answer)" if tries > 1 else ""
    return type(error)(
        f"points {chunk.start} to {chunk.stop - 1} of the map{after}: {error.message}",
        code=error.code,
        reason=error.reason,
        metadata=error.metadata | {"first_point": str(chunk.start), "last_point": str(chunk.stop - 1)},
        request_id=error.request_id,
        retry_after=error.retry_after,
    )
