"""Makes the models of tests/unit/compute/onnx/exported, and says what PyTorch gives for them.

`python tests/torch/exported.py FOLDER`, with torch and onnxscript installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

OPSET = 17


class Encoder(nn.Module):
    """A block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean of the sequence."""
        return self.layer(x * 2).mean(1)


class Recurrent(nn.Module):
    """An LSTM in both directions, and a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, bidirectional=True)
        self.gru = nn.GRU(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sequence of the second layer."""
        return self.gru(self.lstm(x)[0])[0]


class Mixed(nn.Module):
    """Functions without a layer of their own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One number."""
        values, places = torch.topk(x, 2, dim=-1)
        running = torch.cumsum(x, 1).clamp(-1, 1)
        products = torch.einsum("ij,kj->ik", x, running)
        parts = [
            values,
            torch.gather(x, 1, places),
            torch.where(running > 0, running, running * 0.1),
            torch.logsumexp(products, 1),
            torch.cat([x, x.flip(1)], 1).std(),
            torch.tril(products),
            x.var(1),
            nn.functional.gelu(x).prod(1),
        ]
        return sum(part.sum() for part in parts).reshape(1)


def modules() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """The modules, each with an input."""
    cnn = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(4, 3, 3, stride=2),
        nn.GroupNorm(3, 3),
        nn.AdaptiveAvgPool2d((2, 2)),
        nn.Flatten(),
        nn.Linear(12, 3),
        nn.Softmax(-1),
    )
    mobile = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Hardswish(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU6(),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.PixelShuffle(2),
        nn.InstanceNorm2d(2, affine=True),
        nn.Flatten(1),
    )
    mlp = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2), nn.LogSoftmax(-1))
    return {
        "mlp": (mlp, torch.randn(5, 3)),
        "encoder": (Encoder(), torch.randn(2, 5, 8)),
        "cnn": (cnn, torch.randn(2, 2, 6, 8)),
        "recurrent": (Recurrent(), torch.randn(5, 2, 3)),
        "mixed": (Mixed(), torch.randn(4, 6)),
        "mobile": (mobile, torch.randn(1, 3, 9, 9)),
    }


def write(folder: Path) -> None:
    """Writes models, inputs, values and gradients."""
    torch.manual_seed(0)
    for name, (module, x) in modules().items():
        module.eval()
        point = x.clone().requires_grad_()
        y = module(point)
        (gradient,) = torch.autograd.grad((y**3 + y).sum(), point)
        np.savez(folder / f"{name}.npz", x=x.numpy(), y=y.detach().numpy(), g=gradient.numpy())
        rows = ({0: torch.export.Dim("batch", min=1)},) if name == "mlp" else None
        path = folder / f"{name}_dynamo.onnx"
        torch.onnx.export(module, (x,), path, dynamo=True, external_data=False, dynamic_shapes=rows)
        if name == "cnn":  # the older exporter has no adaptive pooling
            continue
        axes = {"x": {0: "batch"}} if name in ("mlp", "encoder") else None
        options = {"opset_version": OPSET, "input_names": ["x"], "dynamic_axes": axes}
        torch.onnx.export(module, (x,), folder / f"{name}_legacy.onnx", dynamo=False, **options)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
