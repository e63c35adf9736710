"""Models that PyTorch's exporters wrote: values and gradients are those of PyTorch.

`tests/torch/exported.py` made the files, with PyTorch 2.13.
"""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from pullback.program.container import Onnx
from pullback_server.compute.formats.onnx.lift import lift, onnx_signature

MODELS = sorted((Path(__file__).parent / "exported").glob("*.onnx"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_exported(path: Path) -> None:
    """Values to rounding, gradients to 1e-5 of the largest."""
    expected = np.load(path.with_name(f"{path.stem.rpartition('_')[0]}.npz"))
    body = Onnx(path.read_bytes())
    function = lift(body)

    def total(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        (y,) = function([x])
        return (y**3 + y).sum(), y

    gradient, value = jax.jit(jax.grad(total, has_aux=True))(expected["x"])
    np.testing.assert_allclose(value, expected["y"], rtol=1e-5, atol=1e-6)
    largest = np.abs(expected["g"]).max()
    np.testing.assert_allclose(gradient, expected["g"], rtol=1e-5, atol=1e-5 * largest)


def test_open_sizes() -> None:
    """Both exporters' names for an open batch become symbols."""
    for name in ("mlp_dynamo", "mlp_legacy", "encoder_legacy"):
        path = next(path for path in MODELS if path.stem == name)
        signature = onnx_signature(Onnx(path.read_bytes()))
        assert signature.symbols == ("batch",)
        assert signature.result is not None
        assert signature.result.leaves[0].sizes[0] == "batch"
