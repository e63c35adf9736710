"""What is generated and checked in must be what its sources say."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
SOURCES = sorted(path.relative_to(PROTO) for path in PROTO.rglob("*.proto"))


def buf(*arguments: str) -> bytes:
    """Runs buf, which the test's environment has."""
    program = shutil.which("buf", path=Path(sys.executable).parent)
    assert program, "buf is missing; it comes with the dependency group `dev`"
    return subprocess.run([program, *arguments], cwd=PROTO, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def described() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """Each proto file as buf reads it."""
    files = descriptor_pb2.FileDescriptorSet.FromString(
        buf("build", "--exclude-source-info", "--as-file-descriptor-set", "--output", "-#format=binpb")
    )
    return {file.name: file for file in files.file}


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_message_classes_are_up_to_date(
    source: Path, described: dict[str, descriptor_pb2.FileDescriptorProto]
) -> None:
    """The checked-in classes describe the same file as the source; `./dev generate` renews them."""
    module = importlib.import_module(f"pullback.v1.{source.stem}_pb2")
    actual = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    expected = described[str(source)]
    for file in (actual, expected):
        for message in file.message_type:
            _drop_json_names(message)
    assert actual == expected


def _drop_json_names(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _drop_json_names(nested)


def test_every_file_has_its_classes() -> None:
    """No proto file lacks its module, and no module its proto file."""
    package = ROOT / "client" / "python" / "pullback" / "v1"
    assert {path.stem for path in SOURCES} == {
        path.stem.removesuffix("_pb2") for path in package.glob("*_pb2.py")
    }


def test_proto_files_are_linted() -> None:
    """Buf finds nothing to say, comments included."""
    buf("lint")
