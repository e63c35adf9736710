"""How functions look in a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from pullback._descriptions import FunctionDetails
from pullback._evaluation.arguments import describe_argument
from pullback.program.derivatives import DerivativeSupport
from pullback.program.signature import Signature
from pullback.program.trees import leaf_paths

_SHORT: Final = 12
# A wide table is better cut by the reader's terminal than by rich, where the output is a file.
_FILE_WIDTH: Final = 200


def console() -> Console:
    """Where tables are printed: the terminal, or a file that is not cut to a terminal's width."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)


def short_digest(details: FunctionDetails) -> str:
    """The first digits of a revision's digest; enough to name it by."""
    return details.digest[:_SHORT]


def spell_signature(signature: Signature) -> str:
    """A signature in one line, such as `(x: f64[8], y: f64[]) -> f64[]`."""
    arguments = ", ".join(map(describe_argument, signature.arguments))
    if signature.result is None:
        return f"({arguments})"
    paths = leaf_paths(signature.result.tree)
    leaves = zip(paths, signature.result.leaves, strict=True)
    result = ", ".join(f"{path}: {leaf}" if path else str(leaf) for path, leaf in leaves)
    return f"({arguments}) -> {result}"


def spell_labels(details: FunctionDetails) -> str:
    """Labels in one line, such as `team=physics, stage=test`."""
    return ", ".join(f"{key}={value}" for key, value in sorted(details.labels.items()))


def function_table(functions: Iterable[FunctionDetails]) -> Table:
    """A table of functions."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("NAME", "REVISION", "SIGNATURE", "FORMAT", "LABELS", "REGISTERED"):
        table.add_column(column, overflow="fold")
    for details in functions:
        table.add_row(
            details.name,
            short_digest(details),
            spell_signature(details.signature),
            details.format,
            spell_labels(details),
            f"{details.created:%Y-%m-%d %H:%M}",
        )
    return table


def as_pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """A table of names and values, without what is empty."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(name, value)
    return table


def describe(details: FunctionDetails) -> Table:
    """All about one function."""
    producer = details.producer
    revisions = [
        f"{revision.digest[:_SHORT]}  {revision.created:%Y-%m-%d %H:%M}  {revision.format}"
        for revision in details.revisions
    ]
    dependencies = ", ".join(f"{name} {version}" for name, version in sorted(producer.dependencies.items()))
    return as_pairs(
        [
            ("name", details.name),
            ("description", details.description),
            ("signature", spell_signature(details.signature)),
            ("format", details.format),
            ("labels", spell_labels(details)),
            ("granted to", ", ".join(details.grants)),
            ("derivatives", "\n".join(map(_spell_support, details.derivatives))),
            ("producer", " ".join(filter(None, [producer.name, producer.version, dependencies]))),
            ("revision", details.digest),
            ("revisions", "\n".join(revisions)),
        ]
    )


def _spell_support(support: DerivativeSupport) -> str:
    kind = support.kind.value.replace("_", " ")
    return kind if support.supported else f"no {kind}: {support.reason}"


def function_as_json(details: FunctionDetails) -> dict[str, Any]:
    """All about one function, as JSON has it."""
    return {
        "name": details.name,
        "revision": details.digest,
        "signature": spell_signature(details.signature),
        "format": details.format,
        "labels": dict(details.labels),
        "description": details.description,
        "created": details.created.isoformat(),
        "grants": list(details.grants),
        "derivatives": [
            {"kind": support.kind.value, "supported": support.supported, "reason": support.reason}
            for support in details.derivatives
        ],
        "revisions": [
            {
                "digest": revision.digest,
                "created": revision.created.isoformat(),
                "format": revision.format,
            }
            for revision in details.revisions
        ],
    }
