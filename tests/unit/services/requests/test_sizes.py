"""The predicted size of results."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pullback_server.model.functions import Registered
from pullback_server.model.quantities import Mode, Quantity, Want
from pullback_server.services.requests.sizes import result_bytes


@pytest.mark.parametrize(
    ("want", "nbytes"),
    [
        (Want(Quantity.VALUE), 2 * 8 + 4),
        (Want(Quantity.JVP, argnums=(0,)), 2 * 8 + 4),
        (Want(Quantity.VJP, argnums=(0, 1)), 3 * 8 + 5 * 4),
        (Want(Quantity.JACOBIAN, Mode.FORWARD, 0, (1,)), (2 + 1) * 5 * 8),
        (Want(Quantity.HESSIAN, argnums=(0, 1)), (2 + 1) * (3 + 5) ** 2 * 8),
        (Want(Quantity.GGN_VP, argnums=(1,), directions=6), 6 * 5 * 4),
        (Want(Quantity.JVP, argnums=(0,), directions=0), 0),
        (Want(Quantity.HESSIAN_DIAG, argnums=(0,)), (2 + 1) * 3 * 8),
        (Want(Quantity.LAPLACIAN, argnums=(0, 1)), 2 * 8 + 4),
        (Want(Quantity.JACOBIAN, argnums=(0,), sparse=True), 0),
        (Want(Quantity.DERIVATIVE, order=3, argnums=(0,)), (2 + 1) * 3**3 * 8),
    ],
)
def test_sizes(registered: Callable[..., Registered], want: Want, nbytes: int) -> None:
    """Each quantity has its size, a batch that many times, an empty batch none."""
    signature = registered(["f64[2]", "f32[]"], x="f64[3]", y="f32[5]").signature
    assert result_bytes([want], signature, None) == nbytes
    assert result_bytes([want, Want(Quantity.VALUE)], signature, 7) == 7 * (nbytes + 20)
    assert result_bytes([want], signature, 0) == 0


def test_zero_sized(registered: Callable[..., Registered]) -> None:
    """Derivatives with respect to nothing, and of nothing, have no bytes."""
    signature = registered("f64[]", x="f64[0]").signature
    assert result_bytes([Want(Quantity.HESSIAN, argnums=(0,))], signature, None) == 0
