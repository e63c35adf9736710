"""Archives: whole or refused, the same the second time, and never a path that leads elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pullback.program.container import Constant, Producer, Program, StableHlo
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.errors import ServiceError, StoredDataError
from pullback_server.registry.archive import export_registry, import_registry
from pullback_server.registry.names import Key, ResourceName, parse_function_name
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry

Make = Callable[[str], Program]
WEIGHTS = b"weights" * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def with_weights() -> Program:
    """A program with a constant."""
    constant = Constant(TensorType(ElementType.UI8, (len(WEIGHTS),)), DIGEST)
    return Program(StableHlo(b"module", (), (constant,)), Signature((), None), Producer("tests", "1", {}))


@pytest.fixture
def full(tmp_path: Path, formula: Make) -> Path:
    """A directory with functions of two tenants, two revisions, a constant and a grant."""
    with open_registry(tmp_path / "full") as registry:
        arriving = registry.arrive()
        arriving.add(WEIGHTS)
        registry.upload_constant(arriving)
        arriving.drop()
        registry.register(Registration("weights", with_weights()))
        registry.register(Registration("f", formula("sum(x)"), {"team": "a"}, "a sum"))
        registry.register(Registration("f", formula("sum(x) * 2")))
        registry.register(Registration("g", formula("sum(x) * 3"), tenant="acme"))
        registry.grant(Key("acme", "g"), "other")
    return tmp_path / "full"


def exported(folder: Path) -> bytes:
    """The archive of a directory."""
    sink = io.BytesIO()
    with open_registry(folder) as registry:
        done = export_registry(registry, sink)
    assert (done.functions, done.blobs) == (3, 5)
    return sink.getvalue()


def content(registry: Registry) -> list[object]:
    """All functions, each program and constant read."""
    names = (ResourceName("f"), ResourceName("weights"), ResourceName("g", None, "acme"))
    found = [registry.resolve(name, None) for name in names]
    for each in found:
        for revision in each.function.revisions:
            registry.program(revision.digest)
            for constant in revision.constants:
                assert registry.constant(constant) == WEIGHTS
    return [each.function for each in found]


def test_there_and_back(full: Path, tmp_path: Path) -> None:
    """Another directory has the same functions, revisions, tenants, grants; a second time nothing changes."""
    archive = exported(full)
    with open_registry(tmp_path / "new") as registry:
        assert import_registry(registry, io.BytesIO(archive)).changed == 3
        assert import_registry(registry, io.BytesIO(archive)).changed == 0
        copied = content(registry)
    with open_registry(full) as registry:
        assert copied == content(registry)
    assert exported(tmp_path / "new") == archive


def test_functions_that_are_there(full: Path, tmp_path: Path, formula: Make) -> None:
    """They keep their revisions and get those of the archive, whose last one is current."""
    archive = exported(full)
    with open_registry(tmp_path / "new") as registry:
        own = registry.register(Registration("f", formula("sum(x) * 7"))).revision
        registry.register(Registration("h", formula("sum(x) * 8")))
        assert import_registry(registry, io.BytesIO(archive)).changed == 3
        found = registry.resolve(ResourceName("f")).function
        assert found.revisions[0].digest == own.digest
        assert (len(found.revisions), found.current == own.digest) == (3, False)
        registry.program(registry.resolve(ResourceName("h")).revision.digest)


def test_damaged_blobs_are_mended(full: Path) -> None:
    """An archive puts back what is damaged or gone; what is damaged is not exported."""
    archive = exported(full)
    (path,) = (full / "blobs").rglob(DIGEST)
    path.write_bytes(b"other")
    with open_registry(full) as registry:
        with pytest.raises(StoredDataError, match=DIGEST):
            export_registry(registry, io.BytesIO())
        assert import_registry(registry, io.BytesIO(archive)).changed == 0
        assert registry.constant(DIGEST) == WEIGHTS


def test_damaged_functions_are_mended(full: Path) -> None:
    """A function whose catalogue file is damaged is there again at once, as the archive has it."""
    archive = exported(full)
    with open_registry(full) as registry:
        before = content(registry)
    path = next((full / "functions").glob("*.json"))
    path.write_bytes(b"{")
    with open_registry(full) as registry:
        with pytest.raises(StoredDataError, match=path.name):
            content(registry)
        assert import_registry(registry, io.BytesIO(archive)).changed == 1
        assert content(registry) == before
        assert registry.resolve(ResourceName(path.stem)).function.name == path.stem
        export_registry(registry, io.BytesIO())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_cut_archives(full: Path, tmp_path: Path, share: float) -> None:
    """An archive that ends early changes nothing."""
    archive = exported(full)
    end = len(archive.rstrip(b"\0")) - 1
    with open_registry(tmp_path / "new") as registry:
        with pytest.raises(ServiceError, match="no function was changed"):
            import_registry(registry, io.BytesIO(archive[: int(end * share)]))
        assert registry.page(Key("", ""), 10, {}, reader=None)[0] == []
        registry.collect()
        assert not list((tmp_path / "new" / "blobs").rglob("*.*"))


def test_any_flipped_byte(full: Path, tmp_path: Path) -> None:
    """Of a damaged archive either nothing is taken over, or all as it was: padding does not count."""
    archive = exported(full)
    with open_registry(full) as registry:
        whole = content(registry)
    for number, place in enumerate(range(3, len(archive), 997)):
        damaged = bytearray(archive)
        damaged[place] ^= 0x55
        with open_registry(tmp_path / str(number)) as registry:
            try:
                import_registry(registry, io.BytesIO(bytes(damaged)))
            except ServiceError:
                assert registry.page(Key("", ""), 10, {}, tenant="*", reader=None)[0] == []
            else:
                assert content(registry) == whole


def rewritten(
    archive: bytes, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]
) -> bytes:
    """An archive with other members."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            other, data = change(member, file.read())
            other.size = len(data)
            new.addfile(other, io.BytesIO(data))
    return out.getvalue()


def test_names_that_lead_elsewhere(full: Path, tmp_path: Path) -> None:
    """Neither a member's name nor a function's makes a path outside the directory."""
    archive = exported(full)

    def member_elsewhere(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.startswith("blobs/"):
            member.name = "../../evil"
        return member, data

    def function_elsewhere(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "manifest.json":
            manifest = json.loads(data)
            manifest["functions"][0] |= {"name": "../../../evil"}
            data = json.dumps(manifest).encode()
        return member, data

    def link(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.startswith("blobs/"):
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            data = b""
        return member, data

    for change in (member_elsewhere, function_elsewhere, link):
        with open_registry(tmp_path / "new" / "data") as registry:
            with pytest.raises(ServiceError):
                import_registry(registry, io.BytesIO(rewritten(archive, change)))
            assert registry.page(Key("", ""), 10, {}, tenant="*", reader=None)[0] == []
    assert not list(tmp_path.rglob("*evil*"))


def test_little_that_says_it_is_much(full: Path, tmp_path: Path) -> None:
    """A sparse member, of a few bytes for a tebibyte, is refused before any of it is read."""
    archive = exported(full)

    def sparse(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "manifest.json":
            manifest = json.loads(data)
            for blob in manifest["blobs"]:
                blob["size"] = 1 << 40
            data = json.dumps(manifest).encode()
        elif member.name.startswith("blobs/"):
            member.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,0"}
            data = b""
        return member, data

    refused = pytest.raises(ServiceError, match=r"has 'blobs/.*' where blobs/.* should come")
    with open_registry(tmp_path / "new") as registry, refused:
        import_registry(registry, io.BytesIO(rewritten(archive, sparse)))


def test_headers_without_end(registry: Registry) -> None:
    """Headers of headers end where Python's stack does, with a sentence."""
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    with pytest.raises(ServiceError, match="cannot be read"):
        import_registry(registry, io.BytesIO(header.tobuf() * 3000))


def test_another_program_than_it_says(full: Path, tmp_path: Path) -> None:
    """A revision that has another program's bytes is refused: other tenants may have the same digest."""
    archive = exported(full)
    files: dict[str, bytes] = {}

    def exchanged(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "functions/f.json":
            entry = json.loads(data)
            first, second = entry["function"]["revisions"]
            first["blob"], second["blob"] = second["blob"], first["blob"]
            data = files[member.name] = json.dumps(entry).encode()
        elif member.name == "manifest.json" and files:
            manifest = json.loads(data)
            for function in manifest["functions"]:
                if function["name"] == "f":
                    content = files["functions/f.json"]
                    function |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            data = json.dumps(manifest).encode()
        return member, data

    rewritten(archive, exchanged)  # so that the manifest can tell of the function, which comes later
    with open_registry(tmp_path / "new") as registry:
        with pytest.raises(ServiceError, match="which it is not; no function was changed"):
            import_registry(registry, io.BytesIO(rewritten(archive, exchanged)))
        assert registry.page(Key("", ""), 10, {}, tenant="*", reader=None)[0] == []


@pytest.mark.parametrize("data", [b"", b"no archive", bytes(2000), b"PK\x03\x04" + bytes(2000)])
def test_foreign_files(registry: Registry, data: bytes) -> None:
    """What is no archive of ours is refused with a sentence."""
    with pytest.raises(ServiceError, match="the archive"):
        import_registry(registry, io.BytesIO(data))


def test_deleted_while_it_is_exported(full: Path) -> None:
    """What an export has begun with stays until it has ended."""

    class Deleting(io.BytesIO):
        """Deletes a function when the first bytes come."""

        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            if not self.tell():
                registry.delete(parse_function_name("functions/weights"))
                registry.collect()
            return super().write(data)

    with open_registry(full) as registry:
        sink = Deleting()
        assert export_registry(registry, sink).functions == 3
        assert registry.missing_constants([DIGEST]) == (DIGEST,)
    with open_registry(full.parent / "new") as registry:
        import_registry(registry, io.BytesIO(sink.getvalue()))
        assert registry.constant(DIGEST) == WEIGHTS


def test_commands(full: Path, tmp_path: Path) -> None:
    """`export` and `import` go through files, and say what is wrong in a line."""

    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pullback_server.registry", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr.strip().splitlines()[-1]

    file, new = str(tmp_path / "a.tar"), str(tmp_path / "new")
    assert run("export", file, "--data-dir", str(full))[0] == 0
    assert run("import", file, "--data-dir", new) == (
        0,
        "pullback: 3 functions in the archive, of which 3 are new or have changed",
    )
    with open_registry(tmp_path / "new") as registry:
        assert len(content(registry)) == 3
        assert "in use by the server" in run("export", file, "--data-dir", new)[1]
    assert run("export", file, "--data-dir", str(tmp_path / "nowhere"))[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "full", "new"]
