"""An artifact of `jax.export` as plain data.

It is read from JAX's own flatbuffer here, rather than by `jax.export.deserialize`, which makes containers of
the types that are registered in the process, and cannot make those that are not: named tuples.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from jax import export
from jax._src.export import serialization_generated as schema

from pullback.program.errors import MalformedProgramError, TreeTooDeepError
from pullback.program.tensors import TensorType
from pullback.program.trees import Tree
from pullback_server.compute.formats.bounds import too_deep
from pullback_server.compute.formats.jax_export.structures import is_float0, read_tree, read_type
from pullback_server.errors import Reason, ServiceError, service_error

_MOST_VJPS: Final = 8
_READING_ERRORS: Final = (
    struct.error,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Leaf:
    """An argument or a result.

    Attributes:
        type: Its type.
        moves: Whether it can be a derivative; False for JAX's `float0`.
    """

    type: TensorType
    moves: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is in an artifact.

    Attributes:
        name: The name of the function.
        module: Its StableHLO module.
        inputs: The leaves of the arguments.
        outputs: The leaves of the result.
        input_tree: A tuple of the tuple of positional arguments and the dict of those by keyword.
        output_tree: The structure of the result.
        kept: The numbers of the inputs that the module takes.
        platforms: The platforms it was made for; if several, then the module takes the number of one first.
        vjp: Its reverse mode: from the inputs and a cotangent for each output to one for each input.
    """

    name: str
    module: bytes
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    input_tree: Tree
    output_tree: Tree
    kept: tuple[int, ...]
    platforms: tuple[str, ...]
    vjp: Artifact | None


def read_artifact(data: bytes) -> Artifact:
    """Reads an artifact, and what it carries for reverse mode.

    Raises:
        ServiceError: MALFORMED_PROGRAM if it is none; UNSUPPORTED_OPERATION if it was made for several
            devices, has side effects in an order, or a container or element type that is not served.
    """
    try:
        return _read(schema.Exported.GetRootAsExported(bytearray(data)), 0)  # type: ignore[no-untyped-call]
    except ServiceError:
        raise
    except TreeTooDeepError as error:
        what = "a tree of arguments or results is nested too deep"
        raise too_deep(what, "flatten it", limit=error.deepest) from error
    except (MalformedProgramError, *_READING_ERRORS) as error:
        raise service_error(
            Reason.MALFORMED_PROGRAM,
            f"{len(data)} bytes are no artifact of jax.export ({error}); pass what Exported.serialize gives",
        ) from error


def _read(message: Any, order: int) -> Artifact:
    name = message.FunctionName().decode()
    _refuse_unservable(message, name)
    vjp = message.Vjp()
    found = Artifact(
        name=name,
        module=message.MlirModuleSerializedAsNumpy().tobytes(),
        inputs=_leaves(message, "In"),
        outputs=_leaves(message, "Out"),
        input_tree=read_tree(message.InTree()),
        output_tree=read_tree(message.OutTree()),
        kept=_each(message.ModuleKeptVarIdxLength(), message.ModuleKeptVarIdx),
        platforms=_each(message.PlatformsLength(), lambda i: message.Platforms(i).decode()),
        vjp=_read(vjp, order + 1) if vjp is not None and order < _MOST_VJPS else None,
    )
    _require_fitting(found)
    return found


def _require_fitting(found: Artifact) -> None:
    if not found.platforms or any(number >= len(found.inputs) for number in found.kept):
        raise MalformedProgramError(f"{found.name} has no platform, or takes inputs that it does not have")
    taken, given = len(found.inputs) + len(found.outputs), len(found.inputs)
    if found.vjp is not None and (len(found.vjp.inputs), len(found.vjp.outputs)) != (taken, given):
        raise MalformedProgramError(f"the VJP of {found.name} has other arguments or results than it should")


def _leaves(message: Any, which: str) -> tuple[Leaf, ...]:
    """The inputs or outputs: newer artifacts have each type once and refer to it, older ones have a list."""
    count = getattr(message, f"{which}AvalsIdxsLength")()
    if count:
        numbers = _each(count, getattr(message, f"{which}AvalsIdxs"))
        return tuple(_leaf(message.UniqueAvals(number)) for number in numbers)
    return _each(
        getattr(message, f"{which}AvalsLength")(), lambda i: _leaf(getattr(message, f"{which}Avals")(i))
    )


def _leaf(message: Any) -> Leaf:
    return Leaf(read_type(message), not is_float0(message))


def _each(count: int, read: Callable[[int], _T]) -> tuple[_T, ...]:
    return tuple(read(i) for i in range(count))


def _refuse_unservable(message: Any, name: str) -> None:
    devices = message.NrDevices() or message.NrDevicesShort()
    if devices > 1:
        raise _unsupported(f"{name} was exported for {devices} devices", "export it for one device")
    if message.OrderedEffectsLength():
        effects = ", ".join(
            _each(message.OrderedEffectsLength(), lambda i: _effect(message.OrderedEffects(i)))
        )
        raise _unsupported(
            f"{name} has side effects in an order ({effects})", "export it without callbacks and printing"
        )
    version = message.CallingConventionVersion()
    oldest = export.minimum_supported_calling_convention_version
    newest = export.maximum_supported_calling_convention_version
    if not oldest <= version <= newest:
        raise _unsupported(
            f"{name} was exported with the calling convention {version}, and this server reads {oldest} to "
            f"{newest}",
            "export it again with a JAX that is as old or as new as the server's",
        )


def _effect(message: Any) -> str:
    return re.sub(r".*\.", "", message.TypeName().decode())


def _unsupported(what: str, advice: str) -> ServiceError:
    return service_error(Reason.UNSUPPORTED_OPERATION, f"{what}; {advice}", operation="jax.export")
