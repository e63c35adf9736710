"""What is found in programs as messages, and back."""

from __future__ import annotations

import pytest

from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.model.frames import FrameError
from pullback_server.model.functions import Findings
from pullback_server.model.messages import ProgramLoaded
from pullback_server.model.transfer import findings_message, findings_of

X = TensorType(ElementType.F32, (3, 0))
SUPPORT = DerivativeSupport(DerivativeKind.REVERSE, supported=False, reason="it has none")


@pytest.mark.parametrize("findings", [Findings((X, X)), Findings((), derivatives=(SUPPORT,))])
def test_findings_come_back(findings: Findings) -> None:
    """What a worker found arrives as it was."""
    message = findings_message(7, findings)
    assert message.id == 7
    assert findings_of(message) == findings


def test_a_signature_that_is_none() -> None:
    """A damaged worker's signature is refused."""
    with pytest.raises(FrameError, match="cannot be read"):
        findings_of(ProgramLoaded(1, (X,), b"\xff\xff"))
