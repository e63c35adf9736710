"""The signature of an artifact of `jax.export`."""

from __future__ import annotations

from collections.abc import Iterator

from pullback.program.container import JaxExport
from pullback.program.errors import MalformedProgramError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.trees import DictNode, Tree, TupleNode, count_leaves
from pullback_server.compute.formats.jax_export.artifact import Artifact, Leaf, read_artifact
from pullback_server.compute.formats.stablehlo.foreign import argument_names
from pullback_server.errors import Reason, service_error


def artifact_signature(body: JaxExport) -> Signature:
    """The signature of an artifact: positional arguments, then those by keyword under their keywords.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the artifact cannot be read or contradicts itself, or if names are
            no names; UNSUPPORTED_OPERATION as `read_artifact`.
    """
    artifact = read_artifact(body.artifact)
    try:
        return _signature(artifact, body.names)
    except MalformedProgramError as error:
        raise service_error(
            Reason.MALFORMED_PROGRAM, f"the artifact of {artifact.name} has no signature: {error}"
        ) from error


def _signature(artifact: Artifact, names: tuple[str, ...]) -> Signature:
    leaves = iter(artifact.inputs)
    arguments = tuple(
        Argument(name, tree, tuple(next(leaves).type for _ in range(count_leaves(tree))))
        for name, tree in _arguments(artifact, names)
    )
    outputs = tuple(_require_moving(leaf, artifact).type for leaf in artifact.outputs)
    return Signature(arguments, Result(artifact.output_tree, outputs))


def _arguments(artifact: Artifact, names: tuple[str, ...]) -> Iterator[tuple[str, Tree]]:
    match artifact.input_tree:
        case TupleNode(children=(TupleNode(children=positional), DictNode(keys=keys, children=by_keyword))):
            pass
        case _:
            raise MalformedProgramError("its arguments are not positional ones and ones by keyword")
    if count_leaves(artifact.input_tree) != len(artifact.inputs):
        raise MalformedProgramError(
            f"its arguments have {count_leaves(artifact.input_tree)} leaves, and {len(artifact.inputs)} types"
        )
    yield from zip(argument_names(names, len(positional)), positional, strict=True)
    yield from zip(keys, by_keyword, strict=True)


def _require_moving(leaf: Leaf, artifact: Artifact) -> Leaf:
    if not leaf.moves:
        raise service_error(
            Reason.UNSUPPORTED_OPERATION,
            f"{artifact.name} gives a float0, JAX's derivative of integers, which is no array; export it "
            "without that result",
            operation="float0",
        )
    return leaf
