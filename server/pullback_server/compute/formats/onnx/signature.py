"""The signature of a model: its inputs as arguments, its outputs as the result."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp

from pullback.program.dimensions import spelled
from pullback.program.errors import MalformedProgramError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, symbolic_type
from pullback.program.trees import LEAF, NamedTupleNode
from pullback_server.compute.abstract import abstract, tensor_type_of
from pullback_server.compute.formats.onnx.evaluation import evaluate
from pullback_server.compute.formats.onnx.failures import unsupported
from pullback_server.compute.formats.onnx.syntax import Model
from pullback_server.compute.formats.onnx.values import is_array

_RESULT: Final = "Outputs"
_PROBE: Final = 32
"""The size of a symbol at which a model is traced; large enough for windows and their strides."""
_FAR: Final = 7
"""How much larger the sizes are at which it is tested how the result's sizes follow."""

Types = tuple[TensorType, ...]


def signature_of(model: Model) -> Signature:
    """The signature of a model.

    Names that are no names of arguments are changed: `input.1` becomes `input_1`. Sizes of the result follow
    from those of the arguments, whatever the model says of them.

    Raises:
        ServiceError: What `evaluate` raises; UNSUPPORTED_OPERATION if a size of the result is no linear
            expression of the symbols in the arguments.
    """
    names = _names([port.name for port in model.inputs], "x")
    arguments = tuple(
        Argument(name, LEAF, (symbolic_type(port.element, _sizes(name, port.sizes)),))
        for name, port in zip(names, model.inputs, strict=True)
    )
    signature = Signature(arguments)
    leaves = _results(model, signature)
    if len(leaves) == 1:
        return Signature(arguments, Result(LEAF, leaves))
    fields = _names(model.graph.outputs, "y")
    return Signature(arguments, Result(NamedTupleNode(_RESULT, fields, (LEAF,) * len(leaves)), leaves))


def results_of(model: Model, arguments: Sequence[jax.Array]) -> list[jax.Array]:
    """What a model gives, all of it arrays.

    Raises:
        ServiceError: What `evaluate` raises; UNSUPPORTED_OPERATION if an output is no array.
    """
    found = evaluate(model, arguments)
    for name, value in zip(model.graph.outputs, found, strict=True):
        if not is_array(value):
            raise unsupported(f"output {name!r}", "is a sequence, not an array", "give its parts as outputs")
    return [jnp.asarray(value) for value in found]


def _names(given: Iterable[str], prefix: str) -> tuple[str, ...]:
    """Names that Python takes, each once."""
    names: list[str] = []
    for number, text in enumerate(given):
        name = re.sub(r"\W", "_", text, flags=re.ASCII).strip("_") or f"{prefix}{number}"
        name = f"{prefix}{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
        while name in names:
            name += "_"
        names.append(name)
    return tuple(names)


def _sizes(name: str, sizes: Sequence[int | str]) -> tuple[int | str, ...]:
    return tuple(
        size if isinstance(size, int) else _symbol(size or f"{name}_{axis}")
        for axis, size in enumerate(sizes)
    )


def _symbol(text: str) -> str:
    try:
        return spelled(text)
    except MalformedProgramError:
        return _names([text], "n")[0]


def _results(model: Model, signature: Signature) -> Types:
    symbols = signature.symbols
    if not symbols:
        return _traced(model, signature, {})
    # Different sizes for different symbols: an error that equal sizes would hide shows.
    base = {symbol: _PROBE + 2 * place for place, symbol in enumerate(symbols)}
    found = _traced(model, signature, base)
    grown = {symbol: _traced(model, signature, {**base, symbol: base[symbol] + 1}) for symbol in symbols}
    lines = [
        tuple(
            _line(size, {symbol: types[leaf].shape[axis] - size for symbol, types in grown.items()}, base)
            for axis, size in enumerate(found[leaf].shape)
        )
        for leaf in range(len(found))
    ]
    results = tuple(
        symbolic_type(kind.element, tuple(line.spelled for line in line_of))
        for kind, line_of in zip(found, lines, strict=True)
    )
    far = {symbol: size + _FAR + place for place, (symbol, size) in enumerate(base.items())}
    if tuple(kind.at(far) for kind in results) != _traced(model, signature, far):
        raise unsupported(
            "model", "gives arrays whose sizes are no linear expressions of its inputs'", "fix its sizes"
        )
    return results


@dataclass(frozen=True, slots=True)
class _Line:
    """A linear expression of symbols."""

    constant: int
    factors: Mapping[str, int]

    @property
    def spelled(self) -> int | str:
        """The expression, or the number that it is."""
        factors = {symbol: factor for symbol, factor in self.factors.items() if factor}
        if not factors:
            return self.constant
        terms = [symbol if factor == 1 else f"{factor}*{symbol}" for symbol, factor in factors.items()]
        return "+".join([*terms, *([str(self.constant)] if self.constant else [])]).replace("+-", "-")


def _line(size: int, factors: Mapping[str, int], base: Mapping[str, int]) -> _Line:
    return _Line(size - sum(factor * base[symbol] for symbol, factor in factors.items()), factors)


def _traced(model: Model, signature: Signature, sizes: Mapping[str, int]) -> Types:
    leaves = [abstract(leaf) for leaf in signature.at(sizes).leaves]
    shapes = jax.eval_shape(lambda *given: results_of(model, given), *leaves)
    return tuple(map(tensor_type_of, shapes))
