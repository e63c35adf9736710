"""PyTorch modules as JAX functions, and so as programs. Needs `pullback[torch]`.

`torch.export` traces a module, torchax gives a JAX function of every ATen operator in it, and from there
on a module is a JAX function like any other: its derivatives are JAX's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

import jax
import torch
from torch.utils import _pytree

from pullback.export._api import export
from pullback.export.errors import ExampleError, TracingError, UnsupportedOperationError
from pullback.program.container import Program

# torchax 0.0.13 names these operators and overloads in its tables. PyTorch 2.13 dropped those of named
# tensors, PyTorch 2.15 the first names of two factorizations; no module can call what is not there.
_DROPPED: Final = {
    "all": ("dimname", "dimname_out"),
    "cholesky": ("default",),
    "index_add": ("dimname",),
    "index_copy": ("dimname",),
    "index_copy_": ("dimname",),
    "index_fill": ("Dimname_Scalar", "Dimname_Tensor"),
    "index_fill_": ("Dimname_Scalar", "Dimname_Tensor"),
    "norm": ("names_ScalarOpt_dim", "names_ScalarOpt_dim_dtype", "names_dtype_out", "names_out"),
    "prod": ("dim_Dimname",),
    "qr": ("default",),
    "std": ("correction_names", "correction_names_out", "names_dim", "names_out"),
    "std_mean": ("correction_names", "names_dim"),
    "unbind": ("Dimname",),
}


class _Dropped:
    """Stands for an operator or an overload that PyTorch has no more."""


@contextmanager
def _placeholders() -> Iterator[None]:
    """Puts placeholders where PyTorch has dropped what torchax names while it is imported."""
    added: list[tuple[Any, str]] = []

    def place(owner: Any, name: str) -> Any:
        if not hasattr(owner, name):
            setattr(owner, name, _Dropped())
            added.append((owner, name))
        return getattr(owner, name)

    for name, overloads in _DROPPED.items():
        operator = place(torch.ops.aten, name)
        for overload in overloads:
            place(operator, overload)
    try:
        yield
    finally:
        for owner, name in reversed(added):
            delattr(owner, name)


with _placeholders():
    import torchax
    from torchax import export as torchax_export
    from torchax.ops import mappings

    torchax.default_env().load_ops()

PARAMETERS: Final = "parameters"
"""The name of the argument that a module's parameters become."""


def export_module(module: torch.nn.Module, *examples: Any, parameters: bool = False) -> Program:
    """Exports a PyTorch module as it is in evaluation mode.

    Args:
        module: The module. It comes back in the mode that it was in.
        *examples: One value per argument of `forward`: tensors, arrays, or tuples, lists and dicts of these,
            of which only structure, shapes and dtypes count.
        parameters: Whether the parameters become the first argument, a dict by name; otherwise they are
            constants. Buffers, such as running means, always are.

    Returns:
        The program. Element types are PyTorch's: numbers of Python are 64-bit integers and, in a float32
        module, 32-bit floats.

    Raises:
        ExampleError: If there are more examples than arguments.
        TracingError: If PyTorch cannot trace the module, as where it branches on values.
        UnsupportedOperationError: If torchax has no counterpart of one of its operators.
        ExportError: If the JAX function cannot be exported.
    """
    names = _argument_names(module, examples)
    # In the order of JAX: PyTorch keeps dicts in the order in which they were made.
    tensors = tuple(jax.tree.map(_tensor, example) for example in examples)
    with _evaluating(module):
        traced = _traced(module, tensors)
    with jax.enable_x64(True):  # PyTorch's types are 64 bits wide where they say so
        function, own = _function(module, traced)
        arguments = tuple(jax.tree.map(_like, tensor) for tensor in tensors)
        if parameters:
            given = {name: _like(value) for name, value in module.named_parameters()}
            program = export(function, given, *arguments, argument_names=(PARAMETERS, *names))
        else:
            program = export(lambda *inputs: function(own, *inputs), *arguments, argument_names=names)
    return _with_versions(program)


def _with_versions(program: Program) -> Program:
    versions = {package: version(package) for package in ("torch", "torchax")}
    dependencies = {**program.producer.dependencies, **versions}
    return replace(program, producer=replace(program.producer, dependencies=dependencies))


def _argument_names(module: torch.nn.Module, examples: Sequence[Any]) -> tuple[str, ...]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = inspect.signature(module.forward).parameters.values()
    names = [each.name for each in known if each.kind in kinds][: len(examples)]
    if len(names) < len(examples):
        if not any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in known):
            raise ExampleError(
                f"{type(module).__name__} takes {len(names)} arguments, and {len(examples)} were given"
            )
        names += [f"x{number}" for number in range(len(names), len(examples))]
    return tuple(names)


def _tensor(leaf: Any) -> torch.Tensor:
    return leaf.detach() if isinstance(leaf, torch.Tensor) else torch.as_tensor(leaf)


def _like(tensor: torch.Tensor) -> jax.ShapeDtypeStruct:
    make: Callable[..., jax.ShapeDtypeStruct] = jax.ShapeDtypeStruct
    return make(tuple(tensor.shape), mappings.t2j_dtype(tensor.dtype))


@contextmanager
def _evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Puts a module into evaluation mode, and all its parts back into theirs."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _traced(module: torch.nn.Module, tensors: tuple[Any, ...]) -> torch.export.ExportedProgram:
    try:
        return torch.export.export(module, tensors)
    except Exception as error:
        name = type(module).__name__
        raise TracingError(
            f"torch.export cannot trace {name}: {type(error).__name__}: {error}; a module must not branch on "
            "values, and its arguments must be like the examples"
        ) from error


def _function(
    module: torch.nn.Module, traced: torch.export.ExportedProgram
) -> tuple[Callable[..., Any], dict[str, jax.Array]]:
    """A JAX function of a dict of parameters and of the arguments; and the module's parameters."""
    names, states, run = torchax_export.exported_program_to_jax(traced, export_raw=True)
    arrays = [mappings.t2j(state.detach()) for state in states]
    own = {
        name: value for name, value in zip(names, arrays, strict=False) if name in _parameter_names(module)
    }

    def function(parameters: dict[str, Any], *inputs: Any) -> Any:
        # Behind parameters and buffers stand constants, which have no names.
        named = [parameters.get(name, value) for name, value in zip(names, arrays, strict=False)]
        try:
            flat = run([*named, *arrays[len(names) :]], inputs)
        except AssertionError as error:
            what = str(error).strip().partition("\n")[0]
            raise UnsupportedOperationError(
                f"torchax has no counterpart of PyTorch's {what}; write it with other operators, or export "
                "the module with torch.onnx.export and register pullback.Onnx"
            ) from error
        return _pytree.tree_unflatten(list(flat), traced.call_spec.out_spec)

    return function, own


def _parameter_names(module: torch.nn.Module) -> frozenset[str]:
    return frozenset(name for name, _ in module.named_parameters(remove_duplicate=False))
