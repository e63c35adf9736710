"""Composites: operations of Pullback's namespace become JAX's own again; those of others are taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import jax

from pullback.program.composites import LIBRARY, NAMESPACE, STRUCTURED, VERSION
from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.composites import (
    checkpoint,
    custom_derivatives,
    library,
    linear_call,
    linear_solve,
    scan,
)
from pullback_server.compute.formats.stablehlo.composites.parameters import BuildComposite, decode
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations import chlo
from pullback_server.compute.formats.stablehlo.syntax import Operation

TABLE: Final[Mapping[str, BuildComposite]] = MappingProxyType(
    {
        **library.BUILDERS,
        "checkpoint": checkpoint.build,
        "custom_jvp": custom_derivatives.build_custom_jvp,
        "custom_vjp": custom_derivatives.build_custom_vjp,
        "custom_linear_solve": linear_solve.build,
        "linear_call": linear_call.build,
        "scan": scan.build,
    }
)
_SCHEMAS: Final = {**LIBRARY, **STRUCTURED}


def _composite(operation: Operation, scope: Scope) -> Emit:
    name = operation.attributes["name"]
    if name in chlo.BUILDERS:
        stated = operation.attributes.get("composite_attributes", {})
        return _named(name, chlo.BUILDERS[name](replace(operation, name=name, attributes=stated), scope))
    namespace, _, own = name.partition(".")
    if namespace != NAMESPACE:
        function = jax.jit(scope.function(operation.attributes["decomposition"]).__call__)
        return lambda operands: function(*operands)
    version = operation.attributes.get("version", 0)
    if own not in TABLE or version != VERSION:
        raise unsupported(
            f"the composite {name} version {version}",
            "is unknown to this server",
            "upgrade the server, or export with an older pullback",
        )
    return _named(name, TABLE[own](operation, scope, decode(operation, _SCHEMAS[own])))


def _named(name: str, emit: Emit) -> Emit:
    """The same under a scope of the composite's name, by which graphs tell where a rule comes from."""

    def named(operands: Arrays) -> Arrays:
        with jax.named_scope(name):
            return emit(operands)

    return named


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.composite": _composite}
