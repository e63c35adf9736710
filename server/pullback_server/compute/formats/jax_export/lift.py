"""From an artifact of `jax.export` to callables that JAX can trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import jax
import jax.numpy as jnp

from pullback.program.container import JaxExport, StableHlo
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Signature
from pullback.program.sizes import bind_sizes
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.jax_export.artifact import Artifact, Leaf, read_artifact
from pullback_server.compute.formats.jax_export.signature import artifact_signature
from pullback_server.compute.formats.lifted import Lifted, Traceable
from pullback_server.compute.formats.stablehlo.foreign import argument_names, flat_signature
from pullback_server.compute.formats.stablehlo.lift import lift
from pullback_server.compute.formats.stablehlo.reading.specialization import specialize
from pullback_server.errors import Reason, ServiceError, service_error

_PLATFORMS: Final = {"gpu": "cuda"}
# Lowered for a TPU, a module has the fewest calls into a platform's own libraries.
_SECOND_CHOICE: Final = "tpu"

Sizes = Mapping[str, int]


def lift_artifact(body: JaxExport, signature: Signature, max_trips: int | None = None) -> Lifted:
    """The function of an artifact, at the sizes of a signature without symbols.

    Where the artifact carries its own reverse mode, that is used for it. Forward mode, and what is forward
    around reverse, is the derivative of what is lifted.

    Args:
        body: The artifact.
        signature: Its signature with sizes put in.
        max_trips: How many trips any loop makes whose number of trips depends on data, if that is known.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION or MALFORMED_PROGRAM, as `read_artifact` and the lifter.
    """
    artifact = read_artifact(body.artifact)
    sizes = _sizes(artifact_signature(body), signature)
    lifted = _lift(artifact, sizes, max_trips)
    if artifact.vjp is None:
        return lifted
    vjp = _lift(artifact.vjp, sizes, max_trips).forward
    return Lifted(lifted.forward, _with_reverse(lifted.forward, artifact.vjp, vjp))


def _sizes(symbolic: Signature, chosen: Signature) -> Sizes:
    try:
        return bind_sizes(symbolic, [leaf.shape for leaf in chosen.leaves])
    except (SizeMismatchError, ValueError) as error:
        raise service_error(
            Reason.MALFORMED_PROGRAM, f"the signature does not fit its artifact: {error}"
        ) from error


def _lift(artifact: Artifact, sizes: Sizes, max_trips: int | None) -> Lifted:
    """The module of an artifact, as functions of all inputs, those included that it does not take."""
    inputs, outputs = _at(artifact.inputs, sizes), _at(artifact.outputs, sizes)
    types = tuple(inputs[number] for number in artifact.kept)
    signature = flat_signature(argument_names((), len(types)), types, outputs)
    lifted = _first_that_lifts(artifact, signature, max_trips)

    def taking_all(function: Traceable) -> Traceable:
        return lambda leaves: function([leaves[number] for number in artifact.kept])

    forward = taking_all(lifted.forward)
    return Lifted(forward, forward if lifted.reverse is lifted.forward else taking_all(lifted.reverse))


def _at(leaves: Sequence[Leaf], sizes: Sizes) -> tuple[TensorType, ...]:
    return tuple(leaf.type.at(sizes) for leaf in leaves)


def _first_that_lifts(artifact: Artifact, signature: Signature, max_trips: int | None) -> Lifted:
    """The module as it was made for the first platform whose operations are all served."""
    refusals: list[ServiceError] = []
    for module in _modules(artifact, signature):
        try:
            return lift(StableHlo(module), signature, max_trips)
        except ServiceError as error:
            if error.reason is not Reason.UNSUPPORTED_OPERATION:
                raise
            refusals.append(error)
    raise refusals[0]


def _modules(artifact: Artifact, signature: Signature) -> Iterator[bytes]:
    """The module at its sizes: for this worker's platform first, then as it was made for others."""
    symbolic = any(leaf.type.symbols for leaf in artifact.inputs)
    if len(artifact.platforms) > 1:
        for number in _preferred(artifact.platforms):
            yield specialize(artifact.module, signature.leaves, number)
    elif symbolic:
        yield specialize(artifact.module, signature.leaves)
    else:
        yield artifact.module


def _preferred(platforms: tuple[str, ...]) -> list[int]:
    own = _PLATFORMS.get(jax.default_backend(), jax.default_backend())
    ranks = {own: 0, _SECOND_CHOICE: 1}
    return sorted(range(len(platforms)), key=lambda number: ranks.get(platforms[number], len(ranks)))


def _with_reverse(function: Traceable, artifact: Artifact, vjp: Traceable) -> Traceable:
    """A function whose reverse mode is `vjp`, the function of `artifact`, of inputs and cotangents."""

    def evaluate(*inputs: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(function(inputs))

    def forward(*inputs: jax.Array) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        return evaluate(*inputs), inputs

    def backward(
        inputs: tuple[jax.Array, ...], cotangents: tuple[jax.Array, ...]
    ) -> tuple[jax.Array | None, ...]:
        return _pulled(artifact, vjp, inputs, cotangents)

    with_rule: Callable[..., tuple[jax.Array, ...]] = jax.custom_vjp(evaluate)
    with_rule.defvjp(forward, backward)  # type: ignore[attr-defined]
    return lambda leaves: list(with_rule(*leaves))


def _pulled(
    artifact: Artifact,
    vjp: Traceable,
    inputs: tuple[jax.Array, ...],
    cotangents: tuple[jax.Array, ...],
) -> tuple[jax.Array | None, ...]:
    """The cotangents of the inputs; None of those that have none."""
    expected = artifact.inputs[len(inputs) :]
    given = [
        cotangent if leaf.moves else jnp.zeros(cotangent.shape, bool)
        for cotangent, leaf in zip(cotangents, expected, strict=True)
    ]
    results = vjp([*inputs, *given])
    pairs = zip(results, artifact.outputs, strict=True)
    return tuple(result if leaf.moves else None for result, leaf in pairs)
