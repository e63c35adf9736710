"""AdministrationService without a server: what is refused until it is cleared, what is given to tenants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from pullback.program.container import Formula, Producer, Program
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback.v1 import administration_pb2 as pb
from pullback_server.engine.quarantine import Quarantine
from pullback_server.errors import QuarantineError, Reason, ServiceError
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.administration import Administration
from pullback_server.services.observation import Observation
from pullback_server.tenants.callers import Caller, Role, caller
from pullback_server.tenants.current import CurrentDirectory

X = TensorType(ElementType.F64, (3,))
PROGRAM = Program(
    Formula("sum(x)"),
    Signature((Argument("x", LEAF, (X,)),), Result(LEAF, (TensorType(ElementType.F64, ()),))),
    Producer("tests"),
)
DIGEST = digest_of(PROGRAM)


class Idle:
    """A scheduler that has had no request."""

    def tenants(self) -> dict[str, Any]:
        """Nobody's."""
        return {}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with f, which belongs to nobody."""
    with open_registry(tmp_path / "data") as registry:
        registry.register(Registration("f", PROGRAM))
        yield registry


@pytest.fixture
def quarantine() -> Quarantine:
    """A quarantine that one death leads to."""
    return Quarantine(deaths=1)


@pytest.fixture
def administration(registry: Registry, quarantine: Quarantine, tmp_path: Path) -> Administration:
    """The service, on a server with the tenant red."""
    tenants = tmp_path / "tenants.toml"
    tenants.write_text("[tenants.red]\nmax_functions = 1\n")
    idle, unseen = cast(Scheduler, Idle()), cast(Observation, None)
    return Administration(registry, idle, quarantine, CurrentDirectory(tenants), unseen)


async def test_tenants(administration: Administration) -> None:
    """All that the tenants file names or that have something, with their bounds where they have some."""
    answer = await administration.list_tenants(pb.ListTenantsRequest())
    nobody, red = answer.tenants
    assert (nobody.name, nobody.functions, nobody.HasField("max_functions")) == ("", 1, False)
    assert (red.name, red.functions, red.stored_bytes, red.max_functions) == ("red", 0, 0, 1)


async def test_quarantine(administration: Administration, quarantine: Quarantine) -> None:
    """A program is listed with whose it is, until it is cleared by some of its digits."""
    quarantine.blame(DIGEST, "it looped")
    (program,) = (await administration.list_quarantine(pb.ListQuarantineRequest())).programs
    assert (program.digest, program.deaths, program.cause) == (DIGEST, 1, "it looped")
    assert list(program.revisions) == [f"functions/f/revisions/{DIGEST}"]
    assert program.death_time.seconds > 0
    with pytest.raises(QuarantineError):
        quarantine.check(DIGEST)
    cleared = await administration.clear_quarantine(pb.ClearQuarantineRequest(digest=DIGEST[:8]))
    assert cleared.digest == DIGEST
    quarantine.check(DIGEST)
    assert not (await administration.list_quarantine(pb.ListQuarantineRequest())).programs


async def test_quarantine_of_tenants(administration: Administration, quarantine: Quarantine) -> None:
    """A program that is refused to several tenants is listed once, with them, and cleared for all."""
    for tenant, why in (("red", "it looped"), ("blue", "it aborted")):
        quarantine.blame(DIGEST, why, tenant)
    (program,) = (await administration.list_quarantine(pb.ListQuarantineRequest())).programs
    assert (program.deaths, program.cause) == (2, "it aborted (refused to 'blue', 'red')")
    await administration.clear_quarantine(pb.ClearQuarantineRequest(digest=DIGEST))
    assert quarantine.empty


@pytest.mark.parametrize(
    ("digits", "reason"),
    [
        ("", Reason.MALFORMED_REQUEST),
        ("abcdef0", Reason.MALFORMED_REQUEST),
        ("abcdef01", Reason.MALFORMED_REQUEST),
        ("abcdef0100", Reason.PROGRAM_NOT_FOUND),
    ],
)
async def test_what_is_not_cleared(
    administration: Administration, quarantine: Quarantine, digits: str, reason: Reason
) -> None:
    """Digits that fit none or several programs, or are too few to be meant."""
    for end in "ab":
        quarantine.blame("abcdef01" + end * 56, "it looped")
    with pytest.raises(ServiceError) as caught:
        await administration.clear_quarantine(pb.ClearQuarantineRequest(digest=digits))
    assert caught.value.reason is reason
    assert len(quarantine.entries()) == 2


async def test_adoption_without_identities(administration: Administration, registry: Registry) -> None:
    """Where nobody is known, nobody could name the functions any more."""
    with pytest.raises(ServiceError, match="asks nobody who calls") as caught:
        await administration.adopt_functions(pb.AdoptFunctionsRequest(tenant="red"))
    assert caught.value.reason is Reason.TENANT_NOT_FOUND
    assert registry.having(DIGEST) == (("", "f"),)


async def test_adoption(administration: Administration, registry: Registry) -> None:
    """What nobody owned is given to a tenant that is there."""
    caller.set(Caller("ops", "ops", Role.ADMINISTER))
    for names, tenant, reason in (
        ([], "blue", Reason.TENANT_NOT_FOUND),
        ([], "", Reason.TENANT_NOT_FOUND),
        (["g"], "red", Reason.FUNCTION_NOT_FOUND),
        (["../f"], "red", Reason.MALFORMED_REQUEST),
    ):
        with pytest.raises(ServiceError) as caught:
            await administration.adopt_functions(pb.AdoptFunctionsRequest(tenant=tenant, functions=names))
        assert caught.value.reason is reason
    answer = await administration.adopt_functions(pb.AdoptFunctionsRequest(tenant="red"))
    assert (list(answer.adopted), list(answer.left)) == (["f"], [])
    assert registry.having(DIGEST) == (("red", "f"),)


async def test_garbage(administration: Administration, registry: Registry) -> None:
    """What nothing needs is removed and counted."""
    registry.upload("0" * 64, b"never registered")
    registry.discard_upload("1" * 64)
    collected = await administration.collect_garbage(pb.CollectGarbageRequest())
    assert (collected.uploads, collected.blobs, collected.bytes) == (0, 0, 0)
    assert registry.program(DIGEST)
