"""Whatever system call of a change fails or is the last: the registry has its old state, or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from unit.registry.disks import BadDisk, Disk, Ended, FullDisk, LastDisk

from pullback.program.container import Constant, Formula, Producer, Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.errors import Reason, ServiceError
from pullback_server.registry import operations
from pullback_server.registry.names import ResourceName, parse_function_name
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
PROGRAMS = (UPLOADED, REFUSED, formula("sum(x)"), formula("sum(x) * 2"), with_constant(_FIRST))

ACTS: dict[str, Callable[[Registry], object]] = {
    "register": lambda registry: registry.register(Registration("new", formula("sum(x) * 2"), {"a": "b"})),
    "revise": lambda registry: registry.register(Registration("f", formula("sum(x) * 2"))),
    "register an upload": lambda registry: registry.register(Registration("new", UPLOADED)),
    "register with a constant": lambda registry: registry.register(
        Registration("new", with_constant(_SECOND))
    ),
    "delete": lambda registry: registry.delete(parse_function_name("functions/f")),
    "upload": lambda registry: upload(registry, formula("sum(x) * 2")),
    "upload a constant": lambda registry: bring(registry, _FIRST),
    "discard": lambda registry: registry.discard_upload(digest_of(REFUSED), (_SECOND,)),
    "collect": lambda registry: registry.collect(),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with functions, uploads, a blob that nobody needs, and what a killed server left."""
    folder = tmp_path_factory.mktemp("base") / "data"
    with open_registry(folder) as registry:
        bring(registry, _SECOND)
        registry.register(Registration("kept", with_constant(_SECOND)))
        registry.register(Registration("f", formula("sum(x)"), {"team": "a"}))
        bring(registry, _SECOND)
        upload(registry, UPLOADED)
        upload(registry, REFUSED)
    orphan = b"nobody needs this"
    path = folder / "blobs" / "sha256" / hashlib.sha256(orphan).hexdigest()[:2]
    path.mkdir()
    (path / hashlib.sha256(orphan).hexdigest()).write_bytes(orphan)
    return folder


State = dict[str, Any]


def state(registry: Registry) -> State:
    """All that a registry says it has, each program and constant read."""
    functions = {
        name: (
            [revision.digest for revision in found.function.revisions],
            found.function.current,
            dict(found.function.labels),
        )
        for name in ("kept", "f", "new")
        if (found := _found(registry, name)) is not None
    }
    for digests, _, _ in functions.values():
        for digest in digests:
            registry.program(digest)
    for digest in registry.resolve(ResourceName("kept")).revision.constants:
        assert registry.constant(digest) == _CONSTANTS[digest]
    return functions


def _found(registry: Registry, name: str) -> Any:
    try:
        return registry.resolve(ResourceName(name))
    except ServiceError as error:
        assert error.reason is Reason.FUNCTION_NOT_FOUND  # noqa: PT017 -- anything else is a state in between
        return None


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
        assert now in (case.old, case.new)
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
        assert all(each in (case.old, case.new) for each in found)
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
