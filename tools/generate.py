"""Generates `client/python/pullback/v1/` from `proto/`: `./dev generate`.

Runs under the pinned grpcio-tools of the dependency group `generate`, which is old on purpose:
generated code refuses a protobuf runtime that is older than its generator.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"


def generate(target: Path) -> None:
    """Writes the message classes and their type stubs under `target`.

    Args:
        target: The folder that holds the package `pullback`.

    Raises:
        SystemExit: If the protocol compiler refuses a file; it has printed why.
    """
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    command = ["protoc", f"-I{PROTO}", f"-I{_well_known()}", f"--python_out={target}", f"--pyi_out={target}"]
    if protoc.main([*command, *sources]) != 0:
        raise SystemExit(1)


def _well_known() -> Path:
    return Path(protoc.__file__).parent / "_proto"


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "client" / "python")
