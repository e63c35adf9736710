"""What a server may answer to whatever it is sent.

A call ends well, with a message of its kind, or with a gRPC status that carries one of our reasons, whose
code is that of the reason. INTERNAL as a reason is a fault: nobody foresaw what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from pullback.v1 import errors_pb2
from pullback_server.errors import Reason, service_error

_DETAILS: Final = "grpc-status-details-bin"
_OURS: Final = "/pullback."
_DOMAIN: Final = "pullback.dev"
# gRPC itself refuses what is larger than a message may be, before the server has seen it.
_LARGER: Final = "larger than max"
# Services that are not ours have no reasons.
_FOREIGN: Final = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended.

    Attributes:
        code: The status.
        reason: The reason that it carries, empty where it carries none.
        fault: What is wrong with the answer; empty where it is proper.
        messages: What the server sent.
    """

    code: grpc.StatusCode
    reason: str
    fault: str
    messages: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """The answer in a word, for counting."""
        return self.reason or self.code.name

    @property
    def lost_a_worker(self) -> bool:
        """Whether the call cost a worker, or was refused since its program had."""
        return self.reason in {Reason.WORKER_DIED, Reason.QUARANTINED}


def answered(path: str, messages: Sequence[bytes], kind: Any) -> Answer:
    """The answer of a call that ended well.

    Args:
        path: The method.
        messages: The bytes that came.
        kind: The class of the method's responses.
    """
    fault = ""
    for raw in messages:
        try:
            message = kind.FromString(raw)
        except DecodeError:
            fault = f"{path} answers with what is no {kind.__name__}"
            break
        if path.endswith("EvaluateStream") and message.WhichOneof("outcome") == "error":
            fault = fault or _status_fault(message.error)[1]
    return Answer(grpc.StatusCode.OK, "", fault, tuple(messages))


def refused(path: str, error: grpc.aio.AioRpcError | grpc.RpcError) -> Answer:
    """The answer of a call that failed."""
    code, text = error.code(), error.details() or ""
    trailing = dict(error.trailing_metadata() or ())
    if _DETAILS in trailing:
        status = errors_pb2.Status.FromString(trailing[_DETAILS])
        reason, fault = _status_fault(status)
        if not fault and (status.code, status.message) != (code.value[0], text):
            fault = f"the status says {code.name}: {text!r}, its details {status.code}: {status.message!r}"
        return Answer(code, reason, fault)
    proper = (
        (code in _FOREIGN and not path.startswith(_OURS))
        or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and _LARGER in text)
        or (code is grpc.StatusCode.DEADLINE_EXCEEDED and path.endswith("Health/Watch"))
    )
    return Answer(code, "", "" if proper else f"{path} ends with {code.name} without a reason: {text!r}")


def _status_fault(status: errors_pb2.Status) -> tuple[str, str]:
    """The reason of a status, and what is wrong with it."""
    info = errors_pb2.ErrorInfo()
    if not status.details or not status.details[0].type_url.endswith("google.rpc.ErrorInfo"):
        return "", f"status {status.code} carries no ErrorInfo: {status.message!r}"
    info.ParseFromString(status.details[0].value)
    if info.domain != _DOMAIN or info.reason not in set(Reason):
        return info.reason, f"unknown reason {info.domain}/{info.reason}"
    if not info.metadata["request_id"]:
        return info.reason, f"{info.reason} comes without the id of its request"
    if info.reason == Reason.INTERNAL:
        return info.reason, f"an error that nobody foresaw: {status.message}"
    code = grpc.StatusCode[service_error(Reason(info.reason), "").code.value]
    if status.code != code.value[0]:
        return info.reason, f"{info.reason} comes with code {status.code}"
    return info.reason, "" if status.message else f"{info.reason} comes without a sentence"
