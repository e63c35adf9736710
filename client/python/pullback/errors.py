"""What a call can fail with: one class for each way to recover.

    PullbackError
    ├── InvalidArgumentError    (a ValueError)      correct the call
    ├── NotFoundError           (a LookupError)     correct the name, or register the function
    ├── PermissionDeniedError   (a PermissionError) present other credentials
    ├── QuarantinedError                            ask an administrator to let the program run again
    ├── LimitExceededError                          ask for less in one call
    ├── OverloadedError                             wait for `retry_after` seconds
    ├── ConflictError                               repeat the call
    ├── UnavailableError        (a ConnectionError) start the server, or wait for it
    │   └── ServerStartError                        mend what kept `pullback.local()` from starting
    ├── DeadlineExceededError   (a TimeoutError)    allow more time
    ├── DataLossError                               register the function again
    └── ServerError                                 report it, with the request id

Errors that are found before anything is sent have the same classes and reasons as those that a server
gives. The reasons are listed, each with an example, in `proto/pullback/v1/errors.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping


class PullbackError(Exception):
    """A call failed.

    Args:
        message: What happened, with the value, and what to do.
        code: The gRPC code's name, such as `INVALID_ARGUMENT`.
        reason: The reason for programs to act on, such as `SHAPE_MISMATCH`; empty if none was given.
        metadata: Values that belong to the error, such as `{"argument": "x", "expected": "f64[8]"}`.
        request_id: The id of the call, by which a server's log knows it; empty where nothing was to be
            sent, or an answer could not be read.
        retry_after: How many seconds to wait before another try; None if the server did not say.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.request_id = request_id
        self.retry_after = retry_after


class InvalidArgumentError(PullbackError, ValueError):
    """The call itself is wrong: a shape, a dtype, a name, a program. Correct it."""


class NotFoundError(PullbackError, LookupError):
    """No function, revision or program has this name. Correct the name, or register the function."""


class PermissionDeniedError(PullbackError, PermissionError):
    """The server, or a proxy before it, refused the caller. Present other credentials."""


class QuarantinedError(PullbackError):
    """The program has killed workers of the server. Mend it, or ask an administrator to let it run again."""


class LimitExceededError(PullbackError):
    """Something is larger than the server allows. Ask for less in one call."""


class OverloadedError(PullbackError):
    """Too much is in flight on the server. Wait for `retry_after` seconds, then repeat the call."""


class ConflictError(PullbackError):
    """Another call on the same name came first. Repeat the call."""


class UnavailableError(PullbackError, ConnectionError):
    """The server cannot be reached, or is starting or stopping. Start it, or wait for it."""


class ServerStartError(UnavailableError):
    """The server of `pullback.local()` did not start. The message has its last words."""


class DeadlineExceededError(PullbackError, TimeoutError):
    """No answer came in time. Allow more, or compile ahead."""


class DataLossError(PullbackError):
    """What the server stored is damaged. Register the function again."""


class ServerError(PullbackError):
    """The server, its compiler or its device failed. Report it, with the request id."""


def invalid_argument(reason: str, message: str, **metadata: str) -> InvalidArgumentError:
    """The error of a call that is wrong, found before anything is sent."""
    return InvalidArgumentError(message, code="INVALID_ARGUMENT", reason=reason, metadata=metadata)
