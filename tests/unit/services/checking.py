"""Checks of messages as the generated class makes them."""

from __future__ import annotations

from pullback.codec.evaluation import decode_request
from pullback.v1 import evaluation_pb2 as pb
from pullback_server.model.evaluation import Evaluation
from pullback_server.model.functions import Registered
from pullback_server.services.requests import evaluations
from pullback_server.services.requests.limits import Limits


def check_evaluation(message: pb.EvaluateRequest, registered: Registered, limits: Limits) -> Evaluation:
    """The evaluation that a message asks for."""
    request = decode_request(message.SerializeToString())
    tensors = (*request.arguments, *request.tangents, *request.cotangents)
    inputs = tuple(tensor.data for tensor in tensors)
    checked = evaluations.check_evaluation(request, inputs, message.wants, registered, limits)
    return Evaluation(checked.kind, inputs, checked.points)
