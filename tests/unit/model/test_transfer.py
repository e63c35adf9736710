"""Evaluations and outcomes as frames, and back."""

from __future__ import annotations

import pytest
from evaluations import evaluation

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Evaluation, Outcome, Tensor, Timing
from pullback_server.model.frames import FrameError
from pullback_server.model.messages import Evaluate, Evaluated
from pullback_server.model.quantities import Quantity, Want
from pullback_server.model.transfer import evaluate_frame, evaluated_frame, evaluation_of, outcome_of

X = Tensor(TensorType(ElementType.F32, (3,)), b"abcdefghijkl")
EMPTY = Tensor(TensorType(ElementType.F64, (0, 2)), b"")
FLAG = Tensor(TensorType(ElementType.I1, ()), b"\x01")


@pytest.mark.parametrize(
    "asked",
    [
        evaluation("d", (Want(Quantity.VALUE),), (X, EMPTY), (X,), (FLAG, X), points=3),
        evaluation("d", (Want(Quantity.VALUE),), ()),
    ],
)
def test_evaluations_come_back(asked: Evaluation) -> None:
    """The three groups of tensors are told apart again."""
    frame = evaluate_frame(7, asked)
    assert isinstance(frame.message, Evaluate)
    assert frame.message.id == 7
    found = evaluation_of(frame.message, frame.buffers)
    assert (found.kind, found.inputs, found.points) == (asked.kind, asked.inputs, asked.points)


@pytest.mark.parametrize("results", [((X, EMPTY), (), (FLAG,)), ()])
def test_outcomes_come_back(results: tuple[tuple[Tensor, ...], ...]) -> None:
    """Each want keeps its own leaves, also where it has none."""
    outcome = Outcome(results, Timing(1.5, 0.5))
    frame = evaluated_frame(7, outcome)
    assert isinstance(frame.message, Evaluated)
    assert outcome_of(frame.message, frame.buffers) == outcome


@pytest.mark.parametrize("buffers", [[], [b"abcdefghijkl", b"x"], [b"abc"], [b""]])
def test_buffers_that_do_not_fit(buffers: list[bytes]) -> None:
    """Too few, too many, too short: a damaged worker's answer is refused."""
    message = Evaluated(1, ((X.type,),), Timing())
    with pytest.raises(FrameError):
        outcome_of(message, buffers)
