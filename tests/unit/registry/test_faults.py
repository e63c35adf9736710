"""Whatever system call of a change fails or is the last: the registry has its old state, or the new one.

Of a change of several functions each has its old state or the new one, and to repeat it completes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from unit.registry.disks import BadDisk, Disk, Ended, FullDisk, LastDisk

from pullback.program.container import Constant, Formula, Producer, Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.errors import ServiceError, StoredDataError
from pullback_server.model.functions import EVERY_TENANT, Registered
from pullback_server.registry import operations
from pullback_server.registry.archive import export_registry, import_registry
from pullback_server.registry.names import Key
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry

_F64 = ElementType.F64
_CONSTANTS = {hashlib.sha256(data).hexdigest(): data for data in (b"12345678", b"87654321")}
_FIRST, _SECOND = _CONSTANTS


def formula(source: str) -> Program:
    """A program that a worker has validated."""
    x = Argument("x", LEAF, (TensorType(_F64, (3,)),))
    return Program(
        Formula(source), Signature((x,), Result(LEAF, (TensorType(_F64, ()),))), Producer("tests", "1", {})
    )


def with_constant(digest: str) -> Program:
    """A program with a constant."""
    constant = Constant(TensorType(_F64, (1,)), digest)
    return Program(StableHlo(b"module", (), (constant,)), Signature((), None), Producer("tests", "1", {}))


def bring(registry: Registry, digest: str) -> None:
    """Uploads a constant."""
    arriving = registry.arrive()
    try:
        arriving.add(_CONSTANTS[digest][:3])
        arriving.add(_CONSTANTS[digest][3:])
        registry.upload_constant(arriving)
    finally:
        arriving.drop()


def upload(registry: Registry, program: Program) -> None:
    """Uploads a program."""
    registry.upload(digest_of(program), program_to_bytes(program))


UPLOADED, REFUSED = formula("sum(x) * 3"), formula("sum(x) * 4")
DAMAGED: Final = formula("sum(x) * 5")

ACTS: dict[str, Callable[[Registry], object]] = {
    "register": lambda registry: registry.register(Registration("new", formula("sum(x) * 2"), {"a": "b"})),
    "revise": lambda registry: registry.register(Registration("f", formula("sum(x) * 2"))),
    "register an upload": lambda registry: registry.register(Registration("new", UPLOADED)),
    "register with a constant": lambda registry: registry.register(
        Registration("new", with_constant(_SECOND))
    ),
    "delete": lambda registry: registry.delete(Key("", "f")),
    "grant": lambda registry: registry.grant(Key("", "f"), "green"),
    "revoke": lambda registry: registry.revoke(Key("", "f"), "red"),
    "adopt": lambda registry: registry.adopt("red", ["f", "kept"]),
    "adopt into a new home": lambda registry: registry.adopt("blue", ["f"]),
    "import": lambda registry: import_registry(registry, io.BytesIO(archive())),
    "upload": lambda registry: upload(registry, formula("sum(x) * 2")),
    "upload a constant": lambda registry: bring(registry, _FIRST),
    "discard": lambda registry: registry.discard_upload(digest_of(REFUSED), (_SECOND,)),
    "collect": lambda registry: registry.collect(),
}


@cache
def archive() -> bytes:
    """A new revision with a constant, and a function of a new tenant with what is damaged at the base."""
    sink = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, open_registry(Path(folder)) as registry:
        bring(registry, _FIRST)
        registry.register(Registration("f", with_constant(_FIRST), {"team": "b"}))
        registry.register(Registration("new", DAMAGED, tenant="blue"))
        export_registry(registry, sink)
    return sink.getvalue()


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Nothing waits for the disk of the tests: what is durable, the disks that fail know by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with functions, uploads, a damaged blob, one that nobody needs, and what a kill left."""
    folder = tmp_path_factory.mktemp("base") / "data"
    with open_registry(folder) as registry:
        bring(registry, _SECOND)
        registry.register(Registration("kept", with_constant(_SECOND)))
        registry.register(Registration("f", formula("sum(x)"), {"team": "a"}))
        registry.grant(Key("", "f"), "red")
        damaged = registry.register(Registration("damaged", DAMAGED, tenant="red")).revision.blob
        bring(registry, _SECOND)
        upload(registry, UPLOADED)
        upload(registry, REFUSED)
    orphan = b"nobody needs this"
    path = folder / "blobs" / "sha256" / hashlib.sha256(orphan).hexdigest()[:2]
    path.mkdir()
    (path / hashlib.sha256(orphan).hexdigest()).write_bytes(orphan)
    (folder / "blobs" / "sha256" / damaged[:2] / damaged).write_bytes(b"damaged")
    (folder / f"{operations.TEMPORARY}quarantine").write_bytes(b"half")
    return folder


State = dict[str, dict[str, Any]]
"""By name, and by tenant: one function, which an adoption moves from one tenant to another."""


def state(registry: Registry) -> State:
    """All that a registry says it has, each program and constant read."""
    found, _ = registry.page(Key("", ""), 100, {}, tenant=EVERY_TENANT, reader=None)
    counted = {tenant: usage.functions for tenant, usage in registry.usage().items() if usage.functions}
    assert Counter(each.function.tenant for each in found) == counted  # no function's file is damaged
    registry.program(digest_of(UPLOADED))
    functions: State = {}
    for each in found:
        functions.setdefault(each.function.name, {})[each.function.tenant] = said_of(registry, each)
    return functions


def said_of(registry: Registry, found: Registered) -> Any:
    """What a registry says of a function, and whether it is whole: one is damaged until it is imported."""
    function = found.function
    try:
        for revision in function.revisions:
            registry.program(revision.digest)
            for digest in revision.constants:
                assert registry.constant(digest) == _CONSTANTS[digest]
        whole = True
    except StoredDataError:
        assert function.name == "damaged"
        whole = False
    revisions = [revision.digest for revision in function.revisions]
    return revisions, function.current, dict(function.labels), function.grants, whole


def reopened(folder: Path) -> State:
    """The state that the next server finds, which leaves nothing that is not whole."""
    with open_registry(folder) as registry:
        assert not list(folder.rglob(".tmp-*"))
        return state(registry)


@dataclass(frozen=True)
class Case:
    """A change, with what there may be after it.

    Attributes:
        act: The change.
        folder: Where the next copy of the directory comes.
        base: The directory before it.
        old: The state before it.
        new: The state after it.
    """

    act: Callable[[Registry], object]
    folder: Path
    base: Path
    old: State
    new: State

    def allows(self, found: State) -> bool:
        """Whether each function is as it was before the change, or as it is after it."""
        return all(
            found.get(name) in (self.old.get(name), self.new.get(name))
            for name in {*found, *self.old, *self.new}
        )

    def copy(self, name: str) -> Path:
        """A fresh copy of the directory."""
        shutil.copytree(self.base, self.folder / name)
        return self.folder / name


@pytest.fixture(params=ACTS)
def case(request: pytest.FixtureRequest, base: Path, tmp_path: Path) -> Case:
    """Each change."""
    act = ACTS[request.param]
    shutil.copytree(base, tmp_path / "new")
    with open_registry(tmp_path / "new") as registry:
        old = state(registry)
        act(registry)
        new = state(registry)
    assert reopened(tmp_path / "new") == new
    return Case(act, tmp_path, base, old, new)


def run(case: Case, name: str, disk: Disk) -> None:
    """Makes a change on a disk that fails, and looks at the server that goes on, and at the next one."""
    folder = case.copy(name)
    with open_registry(folder) as registry:
        with pytest.MonkeyPatch.context() as patch:
            disk.install(patch)
            with contextlib.suppress(ServiceError):
                case.act(registry)
        now = state(registry)
        assert case.allows(now)
        shutil.copytree(folder, folder.with_suffix(".next"))
        assert reopened(folder.with_suffix(".next")) == now
        with contextlib.suppress(ServiceError):
            case.act(registry)
        assert state(registry) == case.new


def test_a_full_disk(case: Case) -> None:
    """Where room ends within a change, it is as if the change had never begun, or it is done."""
    for number in range(100):
        disk = FullDisk(number)
        run(case, f"full-{number}", disk)
        if not disk.reached:
            break
    else:
        pytest.fail("the change has no end")


@pytest.mark.parametrize("after", [False, True])
def test_a_bad_disk(case: Case, after: bool) -> None:
    """Where one call fails, and perhaps was done all the same, the server knows what there is."""
    for number in range(100):
        disk = BadDisk(number, after=after)
        run(case, f"bad-{number}", disk)
        if not disk.reached:
            break
    else:
        pytest.fail("the change has no end")


def test_a_loss_of_power(case: Case) -> None:
    """Whether what was not made durable is kept or lost, and a change that was confirmed is durable."""
    for number in range(100):
        folder = case.copy(f"last-{number}")
        disk = LastDisk(number, folder)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Ended):
            disk.install(patch)
            with open_registry(folder) as registry:
                case.act(registry)
        disk.what_is_left(folder, folder.with_suffix(".lost"))
        found = [reopened(folder), reopened(folder.with_suffix(".lost"))]
        if not disk.reached:
            assert found == [case.new, case.new]
            break
        assert all(map(case.allows, found))
    else:
        pytest.fail("the change has no end")


def test_nothing_else_changes_the_directory() -> None:
    """No other module of the registry writes or removes by itself, so that what is tested here is all."""
    changing = re.compile(
        r"\.(write_bytes|write_text|unlink|mkdir|rmdir|touch|rename)\(|os\.(write|replace|rename|unlink|fsync)\("
    )
    found = {
        module.name
        for module in Path(operations.__file__).parent.glob("*.py")
        if changing.search(module.read_text().replace("operations.", ""))
    }
    assert found == {"operations.py"}
