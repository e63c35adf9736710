"""What JAX and XLA raise, as errors with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pullback_server.errors import Reason, ServiceError, service_error


@contextmanager
def failing_as(
    reason: Reason, what: str, errors: tuple[type[Exception], ...] = (Exception,)
) -> Iterator[None]:
    """Turns errors raised inside into a ServiceError; one that is a ServiceError already stays.

    What goes deeper than Python's stack is NESTING_TOO_DEEP, whatever it was in.

    Args:
        reason: Its reason.
        what: Its sentence, before what JAX or XLA said.
        errors: What to turn; everything where left out, since a client's program is behind it.
    """
    try:
        yield
    except ServiceError:
        raise
    except RecursionError as error:
        raise service_error(
            Reason.NESTING_TOO_DEEP, f"{what}: it is nested deeper than can be followed; flatten it"
        ) from error
    except errors as error:
        raise service_error(reason, f"{what}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """What an error says, without the pages that JAX and XLA may add."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
