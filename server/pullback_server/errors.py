"""What a server tells a caller whose call failed.

    ServiceError             has a reason, a sentence, and metadata
    ├── RequestError         the caller's to mend: never worth a retry
    ├── AccessError          other credentials, or other rights, are needed
    ├── QuarantineError      an administrator's to clear: the program has killed workers
    ├── DeadlineError            the call's own time was over
    ├── StoredDataError      an administrator's to mend: what was stored is damaged
    ├── PressureError        too much or too large
    ├── AvailabilityError    passes by itself: worth a retry
    └── ExecutionError       the program or the device failed while compiling or running

Knows gRPC's code names, not gRPC: `services.status` turns these errors into gRPC status.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The gRPC codes that are used, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    DATA_LOSS = "DATA_LOSS"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    ABORTED = "ABORTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"


class Reason(StrEnum):
    """Why a call failed. Documented value by value in `proto/pullback/v1/errors.proto`."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    SHAPE_MISMATCH = "SHAPE_MISMATCH"
    ELEMENT_TYPE_MISMATCH = "ELEMENT_TYPE_MISMATCH"
    ARGUMENT_COUNT_MISMATCH = "ARGUMENT_COUNT_MISMATCH"
    INVALID_ARGNUMS = "INVALID_ARGNUMS"
    DERIVATIVE_UNDEFINED = "DERIVATIVE_UNDEFINED"
    MALFORMED_PROGRAM = "MALFORMED_PROGRAM"
    FORMULA_ERROR = "FORMULA_ERROR"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    FUNCTION_NOT_FOUND = "FUNCTION_NOT_FOUND"
    REVISION_NOT_FOUND = "REVISION_NOT_FOUND"
    PROGRAM_NOT_FOUND = "PROGRAM_NOT_FOUND"
    CONSTANT_NOT_FOUND = "CONSTANT_NOT_FOUND"
    SEGMENT_NOT_FOUND = "SEGMENT_NOT_FOUND"
    STORED_PROGRAM_DAMAGED = "STORED_PROGRAM_DAMAGED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    NOT_READY = "NOT_READY"
    WORKER_DIED = "WORKER_DIED"
    COMPILATION_FAILED = "COMPILATION_FAILED"
    EXECUTION_FAILED = "EXECUTION_FAILED"
    INTERNAL = "INTERNAL"
    CONCURRENT_REGISTRATION = "CONCURRENT_REGISTRATION"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    QUARANTINED = "QUARANTINED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    RUN_TIME_EXCEEDED = "RUN_TIME_EXCEEDED"
    COMPILE_TIME_EXCEEDED = "COMPILE_TIME_EXCEEDED"
    PROGRAM_TOO_LARGE = "PROGRAM_TOO_LARGE"
    TOO_MANY_OPERATIONS = "TOO_MANY_OPERATIONS"
    NESTING_TOO_DEEP = "NESTING_TOO_DEEP"
    CONSTANTS_TOO_LARGE = "CONSTANTS_TOO_LARGE"
    TOO_MANY_INPUTS = "TOO_MANY_INPUTS"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    RESULT_TOO_LARGE = "RESULT_TOO_LARGE"
    DEVICE_MEMORY_EXCEEDED = "DEVICE_MEMORY_EXCEEDED"
    ORDER_TOO_HIGH = "ORDER_TOO_HIGH"
    TENANT_FULL = "TENANT_FULL"
    TENANT_OVERLOADED = "TENANT_OVERLOADED"
    RATE_LIMITED = "RATE_LIMITED"
    STORAGE_FULL = "STORAGE_FULL"
    TENANT_NOT_FOUND = "TENANT_NOT_FOUND"


class ServiceError(Exception):
    """A failure with a reason.

    Args:
        reason: Why; decides the gRPC code.
        message: What happened, with the value, and what to do: a sentence for people.
        retry_delay: After how many seconds a later try can succeed, where it can.
        metadata: Values for programs, as text.
    """

    def __init__(
        self, reason: Reason, message: str, *, retry_delay: float | None = None, **metadata: str
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_delay = retry_delay
        self.metadata = metadata

    @property
    def code(self) -> Code:
        """The gRPC code."""
        return _CODES[self.reason]


class RequestError(ServiceError):
    """The caller's to mend: never worth a retry."""


class AccessError(ServiceError):
    """Other credentials, or other rights, are needed."""


class QuarantineError(ServiceError):
    """An administrator's to clear: the program has killed workers."""


class DeadlineError(ServiceError):
    """The call's own time was over."""


class StoredDataError(ServiceError):
    """An administrator's to mend: what was stored is damaged."""


class PressureError(ServiceError):
    """Too much or too large."""


class AvailabilityError(ServiceError):
    """Passes by itself: worth a retry."""


class ExecutionError(ServiceError):
    """The program or the device failed while compiling or running."""


_CODES: Final = {
    Reason.MALFORMED_REQUEST: Code.INVALID_ARGUMENT,
    Reason.SHAPE_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.ELEMENT_TYPE_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.ARGUMENT_COUNT_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.INVALID_ARGNUMS: Code.INVALID_ARGUMENT,
    Reason.DERIVATIVE_UNDEFINED: Code.INVALID_ARGUMENT,
    Reason.MALFORMED_PROGRAM: Code.INVALID_ARGUMENT,
    Reason.FORMULA_ERROR: Code.INVALID_ARGUMENT,
    Reason.UNSUPPORTED_OPERATION: Code.INVALID_ARGUMENT,
    Reason.DIGEST_MISMATCH: Code.INVALID_ARGUMENT,
    Reason.FUNCTION_NOT_FOUND: Code.NOT_FOUND,
    Reason.REVISION_NOT_FOUND: Code.NOT_FOUND,
    Reason.PROGRAM_NOT_FOUND: Code.NOT_FOUND,
    Reason.CONSTANT_NOT_FOUND: Code.NOT_FOUND,
    Reason.SEGMENT_NOT_FOUND: Code.NOT_FOUND,
    Reason.STORED_PROGRAM_DAMAGED: Code.DATA_LOSS,
    Reason.LIMIT_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: Code.RESOURCE_EXHAUSTED,
    Reason.NOT_READY: Code.UNAVAILABLE,
    Reason.WORKER_DIED: Code.INTERNAL,
    Reason.COMPILATION_FAILED: Code.INTERNAL,
    Reason.EXECUTION_FAILED: Code.INTERNAL,
    Reason.INTERNAL: Code.INTERNAL,
    Reason.CONCURRENT_REGISTRATION: Code.ABORTED,
    Reason.UNAUTHENTICATED: Code.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: Code.PERMISSION_DENIED,
    Reason.QUARANTINED: Code.FAILED_PRECONDITION,
    Reason.DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
    Reason.RUN_TIME_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.COMPILE_TIME_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.PROGRAM_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_OPERATIONS: Code.RESOURCE_EXHAUSTED,
    Reason.NESTING_TOO_DEEP: Code.RESOURCE_EXHAUSTED,
    Reason.CONSTANTS_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.TOO_MANY_INPUTS: Code.RESOURCE_EXHAUSTED,
    Reason.BATCH_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.MESSAGE_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.RESULT_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.DEVICE_MEMORY_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.ORDER_TOO_HIGH: Code.RESOURCE_EXHAUSTED,
    Reason.TENANT_FULL: Code.RESOURCE_EXHAUSTED,
    Reason.TENANT_OVERLOADED: Code.RESOURCE_EXHAUSTED,
    Reason.RATE_LIMITED: Code.RESOURCE_EXHAUSTED,
    Reason.STORAGE_FULL: Code.RESOURCE_EXHAUSTED,
    Reason.TENANT_NOT_FOUND: Code.NOT_FOUND,
}
_CLASSES: Final = {
    Code.INVALID_ARGUMENT: RequestError,
    Code.NOT_FOUND: RequestError,
    Code.DATA_LOSS: StoredDataError,
    Code.RESOURCE_EXHAUSTED: PressureError,
    Code.UNAVAILABLE: AvailabilityError,
    Code.ABORTED: AvailabilityError,
    Code.INTERNAL: ExecutionError,
    Code.UNAUTHENTICATED: AccessError,
    Code.PERMISSION_DENIED: AccessError,
    Code.FAILED_PRECONDITION: QuarantineError,
    Code.DEADLINE_EXCEEDED: DeadlineError,
}


def service_error(
    reason: Reason, message: str, *, retry_delay: float | None = None, **metadata: str
) -> ServiceError:
    """The error of a reason, in the class that its code belongs to."""
    return _CLASSES[_CODES[reason]](reason, message, retry_delay=retry_delay, **metadata)


def exceeded(
    reason: Reason, what: str, *, value: int, limit: int, setting: str, advice: str, **metadata: str
) -> ServiceError:
    """The error of a value over its limit, with both, and the name of the setting, in sentence and metadata.

    Args:
        reason: Which limit; its code is RESOURCE_EXHAUSTED.
        what: What is too large, with the value, such as `the batch has 7 points`.
        value: How large it is.
        limit: How large it may be.
        setting: The server's setting for it; empty where there is none.
        advice: What to do.
        metadata: Further values for programs.
    """
    named = f"the server's limit ({setting})" if setting else "the limit"
    metadata |= {"setting": setting} if setting else {}
    return service_error(
        reason,
        f"{what}; {named} is {limit}; {advice}",
        value=str(value),
        limit=str(limit),
        retry_delay=None,
        **metadata,
    )
