"""The registry: registering, resolving, listing, deleting; restarts, damage and leftovers."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pullback.program.container import Constant, Producer, Program, StableHlo
from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.program.wire import program_from_bytes, program_to_bytes
from pullback_server.errors import Code, Reason, RequestError, ServiceError, StoredDataError
from pullback_server.registry.blobs import DirectoryBlobs
from pullback_server.registry.names import Key, ResourceName, parse_name
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry
from pullback_server.registry.usage import Usage

Make = Callable[[str], Program]


def files(folder: Path) -> set[str]:
    """All files under a directory but the lock."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"lock"}


def test_register_and_resolve(registry: Registry, formula: Make) -> None:
    """A registered function is found by its name, by its digest, and by the digest's first digits."""
    program = formula("sum(x)")
    registered = registry.register(Registration("f", program, {"team": "a"}, "a sum"))
    digest = digest_of(program)
    for name in ("functions/f", f"functions/f/revisions/{digest}", f"functions/f/revisions/{digest[:8]}"):
        assert registry.resolve(parse_name(name)) == registered
    assert registered.revision.digest == registered.function.current == digest
    assert (registered.signature, registered.producer) == (program.signature, program.producer)
    assert (registered.function.labels, registered.function.description) == ({"team": "a"}, "a sum")
    assert program_from_bytes(registry.program(digest)) == program


def test_revisions(registry: Registry, formula: Make) -> None:
    """A new program under the name becomes current; an old one can become current again."""
    first = registry.register(Registration("f", formula("sum(x)"))).revision
    second = registry.register(Registration("f", formula("sum(x) * 2"))).revision
    again = registry.register(Registration("f", formula("sum(x)")))
    assert [revision.digest for revision in again.function.revisions] == [first.digest, second.digest]
    assert again.revision == first
    assert registry.resolve(ResourceName("f", second.digest[:10])).revision == second


def test_restart_keeps_everything(tmp_path: Path, formula: Make) -> None:
    """What one server registered, the next one serves."""
    found = (
        DerivativeSupport(DerivativeKind.FORWARD, supported=True),
        DerivativeSupport(DerivativeKind.REVERSE, supported=False, reason="a reason"),
    )
    with open_registry(tmp_path) as registry:
        before = registry.register(
            Registration("f", formula("sum(x)"), {"a": "b"}, "a sum", derivatives=found)
        )
    with open_registry(tmp_path) as registry:
        assert registry.resolve(ResourceName("f")) == before
        assert before.revision.derivatives == found
        assert program_from_bytes(registry.program(before.revision.digest)) == formula("sum(x)")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        (ResourceName("rosenbrok"), Reason.FUNCTION_NOT_FOUND, '"rosenbrock"'),
        (ResourceName("zzz"), Reason.FUNCTION_NOT_FOUND, "ListFunctions"),
        (ResourceName("rosenbrock", "0" * 8), Reason.REVISION_NOT_FOUND, "00000000"),
    ],
)
def test_not_found(registry: Registry, formula: Make, name: ResourceName, reason: Reason, words: str) -> None:
    """What is not there is said with the nearest name, or how to find one."""
    registry.register(Registration("rosenbrock", formula("sum(x)")))
    with pytest.raises(RequestError, match=words) as caught:
        registry.resolve(name)
    assert (caught.value.reason, caught.value.code) == (reason, Code.NOT_FOUND)


def test_pages(registry: Registry, formula: Make) -> None:
    """Pages are in the order of names, stay stable while functions come and go, and end without a token."""
    for name in ("e", "a", "c", "b", "d"):
        registry.register(Registration(name, formula("sum(x)"), {"even": str(name in "bd")}))
    page, token = registry.page(Key("", ""), 2, {})
    assert ([each.function.name for each in page], bool(token)) == (["a", "b"], True)
    registry.delete(Key("", "b"))
    registry.register(Registration("aa", formula("sum(x)")))
    page, token = registry.page(Key("", "b"), 3, {})
    assert ([each.function.name for each in page], token) == (["c", "d", "e"], "")
    page, token = registry.page(Key("", ""), 10, {"even": "True"})
    assert [each.function.name for each in page] == ["d"]


def test_delete_removes_what_only_it_had(registry: Registry, formula: Make, tmp_path: Path) -> None:
    """Deleting a function removes its programs, but not those that another function has too."""
    shared, own = formula("sum(x)"), formula("sum(x) * 3")
    registry.register(Registration("f", shared))
    registry.register(Registration("f", own))
    registry.register(Registration("g", shared))
    registry.delete(Key("", "f"))
    assert len(files(tmp_path)) == 2
    assert registry.program(digest_of(shared))
    with pytest.raises(RequestError) as caught:
        registry.program(digest_of(own))
    assert caught.value.reason is Reason.PROGRAM_NOT_FOUND
    with pytest.raises(RequestError) as caught:
        registry.delete(Key("", "f"))
    assert caught.value.reason is Reason.FUNCTION_NOT_FOUND


def test_damaged_blob_is_named(registry: Registry, formula: Make, tmp_path: Path) -> None:
    """A damaged blob is refused with its file and digest; other functions and the catalogue are fine."""
    bad = registry.register(Registration("bad", formula("sum(x)")))
    good = registry.register(Registration("good", formula("sum(x) * 2")))
    path = tmp_path / "blobs" / "sha256" / bad.revision.blob[:2] / bad.revision.blob
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(StoredDataError) as caught:
        registry.program(bad.revision.digest)
    assert caught.value.reason is Reason.STORED_PROGRAM_DAMAGED
    assert caught.value.metadata == {"file": str(path), "digest": bad.revision.blob}
    assert str(path) in caught.value.message
    assert registry.program(good.revision.digest)
    assert registry.current(Key("", "bad")) is None
    registry.register(Registration("bad", formula("sum(x)")))
    assert registry.program(bad.revision.digest)


def test_other_blob_of_the_same_program(registry: Registry, formula: Make, tmp_path: Path) -> None:
    """Where two functions have the same program from two producers, one sound blob serves both."""
    program = formula("sum(x)")
    one = registry.register(Registration("f", program))
    registry.register(Registration("g", Program(program.body, program.signature, Producer("other"))))
    (tmp_path / "blobs" / "sha256" / one.revision.blob[:2] / one.revision.blob).unlink()
    assert program_from_bytes(registry.program(one.revision.digest)).producer.name == "other"


def test_a_program_that_is_deleted_while_it_is_read(
    registry: Registry, formula: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not there any more, which is no damage that an administrator is to mend."""
    registered = registry.register(Registration("f", formula("sum(x)")))
    read = DirectoryBlobs.read

    def late(blobs: DirectoryBlobs, digest: str) -> bytes:
        registry.delete(Key("", "f"))
        return read(blobs, digest)

    monkeypatch.setattr(DirectoryBlobs, "read", late)
    with pytest.raises(ServiceError) as caught:
        registry.program(registered.revision.digest)
    assert caught.value.reason is Reason.PROGRAM_NOT_FOUND


def test_damaged_catalogue_file(tmp_path: Path, formula: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged catalogue file is named in the log and refused; the others are served; no blob is lost."""
    with open_registry(tmp_path) as registry:
        for name in ("bad", "good"):
            registry.register(Registration(name, formula(f"sum(x) * {len(name)}")))
    path = tmp_path / "functions" / "bad.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.ERROR), open_registry(tmp_path) as registry:
        assert str(path) in caplog.text
        assert registry.resolve(ResourceName("good"))
        for touch in (
            lambda: registry.resolve(ResourceName("bad")),
            lambda: registry.register(Registration("bad", formula("sum(x)"))),
        ):
            with pytest.raises(StoredDataError) as caught:
                touch()
            assert caught.value.metadata["file"] == str(path)
        registry.delete(Key("", "good"))
    path.write_bytes(whole)
    with open_registry(tmp_path) as registry:
        assert registry.program(registry.resolve(ResourceName("bad")).revision.digest)


def test_damaged_function_can_be_deleted(tmp_path: Path, formula: Make) -> None:
    """A function whose file is damaged can be deleted and registered again."""
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", formula("sum(x)")))
    (tmp_path / "functions" / "f.json").write_bytes(b"{}")
    with open_registry(tmp_path) as registry:
        registry.delete(Key("", "f"))
        assert registry.register(Registration("f", formula("sum(x)"))).function.name == "f"


def test_catalogue_file_of_another_function(tmp_path: Path, formula: Make) -> None:
    """A catalogue file that was copied under another name is refused under that name."""
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", formula("sum(x)")))
    (tmp_path / "functions" / "g.json").write_bytes((tmp_path / "functions" / "f.json").read_bytes())
    with open_registry(tmp_path) as registry:
        assert registry.resolve(ResourceName("f"))
        with pytest.raises(StoredDataError):
            registry.resolve(ResourceName("g"))


def test_uploads(registry: Registry, formula: Make, tmp_path: Path) -> None:
    """An upload is found by its digest until it is refused, and is gone without trace after that."""
    program = formula("sum(x)")
    registry.upload(digest_of(program), program_to_bytes(program))
    assert program_from_bytes(registry.program(digest_of(program))) == program
    registry.discard_upload(digest_of(program))
    assert files(tmp_path) == set()


def test_uploads_are_read_once(registry: Registry, formula: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be registered is not read again with every change, whoever makes it."""
    read: list[str] = []
    before = DirectoryBlobs.read

    def counted(blobs: DirectoryBlobs, digest: str) -> bytes:
        read.append(digest)
        return before(blobs, digest)

    monkeypatch.setattr(DirectoryBlobs, "read", counted)
    for text in ("sum(x)", "sum(x) * 2", "sum(x) * 3"):
        program = formula(text)
        registry.upload(digest_of(program), program_to_bytes(program), "acme")
    read.clear()
    for _ in range(4):
        registry.missing_constants(["0" * 64], "acme")
        registry.discard_upload("1" * 64, (), "bolt")
    assert max(map(read.count, read)) == 1


def test_uploads_survive_a_restart_for_a_day(tmp_path: Path, formula: Make) -> None:
    """An upload can be registered after a restart, and is removed when it was left for a day."""
    program = formula("sum(x)")
    with open_registry(tmp_path) as registry:
        registry.upload(digest_of(program), program_to_bytes(program))
    with open_registry(tmp_path) as registry:
        assert registry.program(digest_of(program))
    yesterday = time.time() - 25 * 3600
    os.utime(tmp_path / "uploads" / digest_of(program), (yesterday, yesterday))
    with open_registry(tmp_path) as registry, pytest.raises(RequestError):
        registry.program(digest_of(program))
    assert files(tmp_path) == set()


def test_leftovers_of_a_killed_server(tmp_path: Path, formula: Make) -> None:
    """Half-written files and blobs that nothing refers to are removed at the next start."""
    with open_registry(tmp_path) as registry:
        registered = registry.register(Registration("f", formula("sum(x)")))
    before = files(tmp_path)
    blobs = tmp_path / "blobs" / "sha256"
    (blobs / registered.revision.blob[:2] / ".tmp-half").write_bytes(b"half")
    (blobs / "00").mkdir()
    (blobs / "00" / ("0" * 64)).write_bytes(b"nobody's")
    (tmp_path / "functions" / ".tmp-x").write_bytes(b"{")
    with open_registry(tmp_path) as registry:
        assert registry.program(registered.revision.digest)
    assert files(tmp_path) == before


def test_registrations_at_the_same_time(registry: Registry, formula: Make) -> None:
    """Registrations from many threads, under one name and under many, are all kept."""

    def register(number: int) -> None:
        registry.register(Registration("shared", formula(f"sum(x) * {number}")))
        registry.register(Registration(f"own{number}", formula("sum(x)")))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.resolve(ResourceName("shared")).function.revisions) == 12
    assert len(registry.page(Key("", ""), 100, {})[0]) == 13


def test_ambiguous_digest(registry: Registry, formula: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """First digits that fit two revisions are refused."""
    monkeypatch.setattr(
        "pullback_server.registry.registry.digest_of",
        lambda program: "ab" * 4 + digest_of(program)[8:],
    )
    for number in range(2):
        registry.register(Registration("f", formula(f"sum(x) * {number}")))
    with pytest.raises(ServiceError, match="more digits") as caught:
        registry.resolve(ResourceName("f", "abababab"))
    assert caught.value.reason is Reason.MALFORMED_REQUEST


WEIGHTS = b"weights" * 100
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def with_constant(entry: bytes) -> Program:
    """A program that uses the weights."""
    constant = Constant(TensorType(ElementType.UI8, (len(WEIGHTS),)), DIGEST)
    return Program(StableHlo(entry, (), (constant,)), Signature((), None))


def bring(registry: Registry) -> None:
    """Uploads the weights in two parts."""
    arriving = registry.arrive()
    arriving.add(WEIGHTS[:100])
    arriving.add(WEIGHTS[100:])
    registry.upload_constant(arriving)
    arriving.drop()


def test_constants_are_shared_and_go_with_the_last(registry: Registry) -> None:
    """One blob for two functions, which outlives the first of them and not the second."""
    assert registry.missing_constants([DIGEST, DIGEST]) == (DIGEST,)
    bring(registry)
    for name in ("f", "g"):
        registry.register(Registration(name, with_constant(name.encode())))
    registry.delete(Key("", "f"))
    assert registry.constant(DIGEST) == WEIGHTS
    registry.delete(Key("", "g"))
    assert registry.missing_constants([DIGEST]) == (DIGEST,)


def test_constants_survive_a_restart(tmp_path: Path) -> None:
    """What a function uses is no leftover."""
    with open_registry(tmp_path) as registry:
        bring(registry)
        registry.register(Registration("f", with_constant(b"entry")))
    with open_registry(tmp_path) as registry:
        assert registry.constant(DIGEST) == WEIGHTS


def test_a_program_without_its_constants_is_refused(registry: Registry) -> None:
    """Neither is a part of it kept."""
    with pytest.raises(RequestError, match=DIGEST) as caught:
        registry.register(Registration("f", with_constant(b"entry")))
    assert caught.value.reason is Reason.CONSTANT_NOT_FOUND
    with pytest.raises(RequestError):
        registry.resolve(ResourceName("f"))


def test_a_refused_program_takes_its_constants_along(tmp_path: Path) -> None:
    """Uploaded constants of a refused program leave no trace; nor does what came in part."""
    with open_registry(tmp_path) as registry:
        before = files(tmp_path)
        bring(registry)
        registry.discard_upload("0" * 64, [DIGEST])
        arriving = registry.arrive()
        arriving.add(WEIGHTS)
        arriving.drop()
        assert files(tmp_path) == before


def test_usage(formula: Make, tmp_path: Path) -> None:
    """Functions are counted, and the bytes that they share once."""
    with open_registry(tmp_path) as registry:
        assert registry.usage()[""] == Usage(0, 0)
        for name in "fg":
            registry.register(Registration(name, formula("sum(x)")))
        size = len(registry.program(registry.resolve(ResourceName("f")).revision.digest))
        assert registry.usage()[""] == Usage(2, size)
