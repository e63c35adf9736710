"""Formulas as what a user registers."""

from __future__ import annotations

from pullback import __version__
from pullback.program import container
from pullback.program.container import Producer, Program
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import LEAF


class Formula:
    """A function as a text in the formula language (docs/formula.md).

    `Formula("sum(x**2) * y", x="f64[8]", y="f64[]")` takes an array of 8 and a number.

    Args:
        source: Statements, one a line or separated by semicolons; the last is the result.
        **arguments: The type of each argument, in the order of the call.

    Raises:
        MalformedProgramError: If a type cannot be read.
    """

    __slots__ = ("program",)

    def __init__(self, source: str, /, **arguments: str | TensorType) -> None:
        types = {name: _tensor_type(text) for name, text in arguments.items()}
        signature = Signature(tuple(Argument(name, LEAF, (kind,)) for name, kind in types.items()))
        producer = Producer("pullback-python", __version__)
        self.program = Program(container.Formula(source), signature, producer)


def _tensor_type(text: str | TensorType) -> TensorType:
    return text if isinstance(text, TensorType) else parse_tensor_type(text)
