"""PyTorch modules as what a user registers; PyTorch is not imported before one comes."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pullback.errors import invalid_argument
from pullback.program.container import Program


class Torch:
    """A function as a PyTorch module, in evaluation mode (docs/pytorch.md).

    `client.register(module, x)` is short for `client.register(pullback.Torch(module), x)`. Examples are
    tensors or arrays, of which only shapes and dtypes count.

    Args:
        module: A `torch.nn.Module`.
        parameters: Whether its parameters become the first argument, named `parameters`, so that there are
            derivatives with respect to them; otherwise they are constants.
    """

    __slots__ = ("_module", "_parameters")

    def __init__(self, module: Any, *, parameters: bool = False) -> None:
        self._module = module
        self._parameters = parameters

    @property
    def parameters(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """The module's parameters as they are now, by name: the argument `parameters`."""
        return {name: value.detach().cpu().numpy() for name, value in self._module.named_parameters()}

    @property
    def __name__(self) -> str:
        """The name of the module's class."""
        return type(self._module).__name__

    def export(self, examples: Sequence[Any]) -> Program:
        """The program of the module for arguments like the examples.

        Raises:
            ExportError: If the module cannot be exported.
            InvalidArgumentError: If a package is missing.
        """
        for package in ("torch", "torchax", "jax"):
            if importlib.util.find_spec(package) is None:
                raise invalid_argument(
                    "MALFORMED_REQUEST",
                    f"registering a PyTorch module needs the package {package}, which is not installed; run "
                    "pip install 'pullback[torch]'",
                )
        exporting = importlib.import_module("pullback.export.torch")
        program: Program = exporting.export_module(self._module, *examples, parameters=self._parameters)
        return program


def is_module(value: object) -> bool:
    """Whether a value is a `torch.nn.Module`; there is none where PyTorch was not imported."""
    nn = sys.modules.get("torch.nn")
    return nn is not None and isinstance(value, nn.Module)
