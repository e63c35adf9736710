"""Results that are too large are refused before anything runs, however large they would be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pullback.v1 import evaluation_pb2
from pullback_server.errors import Code, Reason, ServiceError
from pullback_server.model.functions import Registered
from pullback_server.services.requests.evaluations import check_compilation, check_sent
from pullback_server.services.requests.limits import Limits

Make = Callable[..., Registered]
N = 10_000_000
PATIENCE_SECONDS = 0.1


@pytest.mark.parametrize(
    ("want", "points", "nbytes"),
    [
        ({"quantity": "QUANTITY_JACOBIAN"}, None, 8 * 5_000_000 * N),
        ({"quantity": "QUANTITY_JACOBIAN"}, 20, 8 * 5_000_000 * N * 20),
        ({"quantity": "QUANTITY_HESSIAN"}, None, 8 * 5_000_000 * N**2),
        ({"quantity": "QUANTITY_DERIVATIVE", "order": 6}, None, 8 * 5_000_000 * N**6),
        ({"quantity": "QUANTITY_JVP", "directions": 1 << 20}, None, 8 * 5_000_000 << 20),
        ({"quantity": "QUANTITY_VALUE"}, 20, 8 * 5_000_000 * 20),
    ],
)
def test_terabytes(want: Any, points: int | None, nbytes: int, registered: Make, limits: Limits) -> None:
    """Terabytes, and numbers beyond any register, are answered at once with both numbers and what to do."""
    function = registered("f64[5000000]", x=f"f64[{N}]")
    generous = replace(limits, derivative_order=6, result_bytes=1 << 28)
    asked = evaluation_pb2.CompileRequest(wants=[evaluation_pb2.Want(**want)], batch=points)
    began = time.monotonic()
    with pytest.raises(
        ServiceError, match=rf"would have {nbytes} bytes; .*\(max_result_bytes\) is"
    ) as caught:
        check_compilation(asked, function, generous)
    assert time.monotonic() - began < PATIENCE_SECONDS
    error = caught.value
    assert (error.reason, error.code) == (Reason.RESULT_TOO_LARGE, Code.RESOURCE_EXHAUSTED)
    assert error.metadata == {"value": str(nbytes), "limit": str(1 << 28), "setting": "max_result_bytes"}


def test_results_in_messages(limits: Limits) -> None:
    """What travels in a message is held to what a message may have, whatever else results may take."""
    check_sent(limits.message_bytes, limits)
    with pytest.raises(ServiceError, match=r"10001 bytes.*\(max_message_bytes\) is 10000;") as caught:
        check_sent(limits.message_bytes + 1, replace(limits, result_bytes=1 << 40))
    assert caught.value.reason is Reason.RESULT_TOO_LARGE
