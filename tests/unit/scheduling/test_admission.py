"""Admission: what is over the limit is refused with a time to come back."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pullback_server.errors import Code, PressureError, Reason
from pullback_server.scheduling.admission import Admission


def test_limit() -> None:
    """The one over the limit is refused; a place that is left is free, also after a failure."""
    admission = Admission(2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(admission.admitted())
        with pytest.raises(PressureError, match="2 requests") as caught, admission.admitted():
            pytest.fail("a third request was admitted")
        assert (caught.value.reason, caught.value.code) == (Reason.OVERLOADED, Code.RESOURCE_EXHAUSTED)
        assert caught.value.retry_delay is not None
        assert 0.05 <= caught.value.retry_delay <= 10
        assert caught.value.metadata == {"limit": "2"}
    with pytest.raises(ZeroDivisionError), admission.admitted():
        _ = 1 / 0
    assert admission.in_flight == 0
