"""Functions belong to tenants: who sees which, who has sent what, and how much each may have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pullback.program.container import Constant, Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.program.wire import program_to_bytes
from pullback_server.errors import Reason, ServiceError, StoredDataError
from pullback_server.registry.names import Key, ResourceName
from pullback_server.registry.records import Adopted, Registration
from pullback_server.registry.registry import Registry, open_registry
from pullback_server.registry.usage import Usage
from pullback_server.tenants.directory import Directory, Tenant

Make = Callable[[str], Program]
FIRST = Key("", "")
WEIGHTS = b"weights" * 100
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def refusal(act: Callable[[], object]) -> ServiceError:
    """The error of something that is refused."""
    with pytest.raises(ServiceError) as caught:
        act()
    return caught.value


def bring(registry: Registry, tenant: str) -> None:
    """Uploads the weights."""
    arriving = registry.arrive()
    arriving.add(WEIGHTS)
    registry.upload_constant(arriving, tenant)
    arriving.drop()


def with_weights() -> Program:
    """A program that uses the weights."""
    constant = Constant(TensorType(ElementType.UI8, (len(WEIGHTS),)), DIGEST)
    return Program(StableHlo(b"entry", (), (constant,)), Signature((), None))


def names(registry: Registry, reader: str | None, tenant: str = "*") -> list[Key]:
    """The keys of the functions that a reader sees."""
    page, _ = registry.page(FIRST, 100, {}, tenant=tenant, reader=reader)
    return [Key(each.function.tenant, each.function.name) for each in page]


def test_the_same_name_of_two_tenants(tmp_path: Path, formula: Make) -> None:
    """Each has its own, also after a restart, and deleting one leaves the others."""
    with open_registry(tmp_path) as registry:
        for number, tenant in enumerate(["", "red", "blue"]):
            registry.register(Registration("f", formula(f"sum(x) * {number}"), tenant=tenant))
    assert (tmp_path / "tenants" / "red" / "functions" / "f.json").is_file()
    with open_registry(tmp_path) as registry:
        for number, tenant in enumerate(["", "red", "blue"]):
            found = registry.resolve(ResourceName("f", tenant=tenant), tenant)
            assert found.function.tenant == tenant
            assert found.revision.digest == digest_of(formula(f"sum(x) * {number}"))
        registry.delete(Key("red", "f"))
        assert names(registry, None) == [("", "f"), ("blue", "f")]


def test_what_has_no_tenant_is_stored_as_ever(tmp_path: Path, formula: Make) -> None:
    """Neither tenants nor grants stand in its file, so that servers without them read it too."""
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", formula("sum(x)")))
    stored = json.loads((tmp_path / "functions" / "f.json").read_bytes())
    assert list(stored) == ["function", "signatures", "producers"]
    assert list(stored["function"]) == ["name", "revisions", "current", "labels", "description"]


def test_what_one_may_not_see_is_not_there(registry: Registry, formula: Make) -> None:
    """To the word: a function of another tenant is answered as one that does not exist."""
    registry.register(Registration("secret", formula("sum(x)"), tenant="red"))
    for tenant in ("blue", ""):
        error = refusal(lambda who=tenant: registry.resolve(ResourceName("secret", tenant="red"), who))
        other = refusal(lambda who=tenant: registry.resolve(ResourceName("secreu", tenant="red"), who))
        assert error.reason is Reason.FUNCTION_NOT_FOUND
        assert error.message.replace("secret", "secreu") == other.message
        assert "did you mean" not in other.message
    assert (
        "did you mean"
        in refusal(lambda: registry.resolve(ResourceName("secreu", tenant="red"), "red")).message
    )
    assert registry.resolve(ResourceName("secret", tenant="red"), None)


def test_damage_is_told_to_its_own_tenant_only(tmp_path: Path, formula: Make) -> None:
    """To others it does not show that there is a file."""
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", formula("sum(x)"), tenant="red"))
    (tmp_path / "tenants" / "red" / "functions" / "f.json").write_bytes(b"{}")
    with open_registry(tmp_path) as registry:
        for reader in ("red", None):
            assert isinstance(
                refusal(lambda who=reader: registry.resolve(ResourceName("f", tenant="red"), who)),
                StoredDataError,
            )
        error = refusal(lambda: registry.resolve(ResourceName("f", tenant="red"), "blue"))
        assert error.reason is Reason.FUNCTION_NOT_FOUND
        assert registry.usage()["red"].functions == 1


@pytest.mark.parametrize("to", ["blue", "*"])
def test_grants(tmp_path: Path, formula: Make, to: str) -> None:
    """What is granted is seen, with revisions to come, over a restart, until it is revoked or deleted."""
    name = ResourceName("f", tenant="red")
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", formula("sum(x)"), tenant="red"))
        assert registry.grant(name.key, to).function.grants == (to,)
        registry.register(Registration("f", formula("sum(x) * 2"), tenant="red"))
    with open_registry(tmp_path) as registry:
        assert len(registry.resolve(name, "blue").function.revisions) == 2
        assert names(registry, "blue") == names(registry, "blue", "red") == [("red", "f")]
        assert names(registry, "blue", "blue") == []
        assert registry.resolve(name, "green") if to == "*" else names(registry, "green") == []
        before = registry.generation
        assert registry.revoke(name.key, to).function.grants == ()
        assert registry.generation is not before
        assert refusal(lambda: registry.resolve(name, "blue")).reason is Reason.FUNCTION_NOT_FOUND
        registry.grant(name.key, to)
        registry.delete(name.key)
        registry.register(Registration("f", formula("sum(x)"), tenant="red"))
        assert registry.resolve(name, "red").function.grants == ()


def test_a_grant_that_is_there_changes_nothing(registry: Registry, formula: Make) -> None:
    """Nor does revoking one that is not; and a function that is not there has none."""
    key = Key("red", "f")
    registry.register(Registration("f", formula("sum(x)"), tenant="red"))
    assert registry.grant(key, "green").function.grants == ("green",)
    assert registry.grant(key, "blue").function.grants == ("blue", "green")
    before = registry.generation
    assert registry.grant(key, "blue").function.grants == ("blue", "green")
    assert registry.revoke(key, "*").function.grants == ("blue", "green")
    assert registry.generation is before
    assert refusal(lambda: registry.grant(Key("red", "g"), "blue")).reason is Reason.FUNCTION_NOT_FOUND


def test_pages_over_tenants(registry: Registry, formula: Make) -> None:
    """In the order of tenants and names, from any place on."""
    for tenant in ("red", "blue"):
        for name in ("b", "a"):
            registry.register(Registration(name, formula("sum(x)"), tenant=tenant))
    everything = [("blue", "a"), ("blue", "b"), ("red", "a"), ("red", "b")]
    assert names(registry, None) == everything
    page, token = registry.page(Key("blue", "a"), 2, {}, tenant="*", reader=None)
    assert [(each.function.tenant, each.function.name) for each in page] == everything[1:3]
    assert token
    assert names(registry, "red") == everything[2:]
    assert names(registry, "") == []


def test_pages_with_functions_of_nobody(registry: Registry, formula: Make) -> None:
    """They are first, or left out for those who could not name them."""
    for tenant in ("red", ""):
        registry.register(Registration("f", formula("sum(x)"), tenant=tenant))
    assert names(registry, None) == [("", "f"), ("red", "f")]
    page, _ = registry.page(FIRST, 100, {}, tenant="*", reader=None, with_nobodys=False)
    assert [each.function.tenant for each in page] == ["red"]


def test_to_know_a_digest_is_not_to_have_the_program(registry: Registry, formula: Make) -> None:
    """A tenant registers what it has sent or registered itself, not what others have."""
    program = formula("sum(x)")
    digest = digest_of(program)
    registry.upload(digest, program_to_bytes(program), "red")
    for tenant, there in (("red", True), ("blue", False), ("", False), (None, True)):
        if there:
            assert registry.program(digest, tenant)
        else:
            error = refusal(lambda who=tenant: registry.program(digest, who))
            assert error.reason is Reason.PROGRAM_NOT_FOUND
    registry.register(Registration("f", program, tenant="red"))
    registry.grant(Key("red", "f"), "blue")
    assert refusal(lambda: registry.program(digest, "blue")).reason is Reason.PROGRAM_NOT_FOUND
    assert registry.program(digest, "red")


def test_to_know_a_digest_is_not_to_have_the_constant(tmp_path: Path) -> None:
    """It is missing to a tenant until that tenant has sent it, though its bytes are kept once."""
    with open_registry(tmp_path) as registry:
        bring(registry, "red")
        registry.register(Registration("f", with_weights(), tenant="red"))
        assert registry.missing_constants([DIGEST], "red") == ()
        assert registry.missing_constants([DIGEST], "blue") == (DIGEST,)
        refused = refusal(lambda: registry.register(Registration("f", with_weights(), tenant="blue")))
        assert refused.reason is Reason.CONSTANT_NOT_FOUND
        bring(registry, "blue")
        assert registry.missing_constants([DIGEST], "blue") == ()
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", with_weights(), tenant="blue"))
        registry.delete(Key("red", "f"))
        assert registry.constant(DIGEST) == WEIGHTS
        assert registry.missing_constants([DIGEST], "red") == (DIGEST,)
    assert len(list((tmp_path / "blobs" / "sha256").glob(f"*/{DIGEST}"))) == 1


def test_to_name_a_constant_is_not_to_have_it(tmp_path: Path) -> None:
    """A program that names another tenant's constant may be uploaded, and brings nobody nearer to it."""
    program = with_weights()
    with open_registry(tmp_path) as registry:
        bring(registry, "red")
        registry.register(Registration("f", program, tenant="red"))
        registry.upload(digest_of(program), program_to_bytes(program), "blue")
        assert registry.missing_constants([DIGEST], "blue") == (DIGEST,)
        refused = refusal(lambda: registry.register(Registration("f", program, tenant="blue")))
        assert refused.reason is Reason.CONSTANT_NOT_FOUND


def test_readers_beside_uploads(tmp_path: Path) -> None:
    """What is asked of other threads while constants come is answered."""
    with open_registry(tmp_path) as registry, ThreadPoolExecutor(1) as threads:
        digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(3000)]
        uploads = registry._needs.uploads_of("red")
        claiming = threads.submit(lambda: [uploads.claim(digest) for digest in digests])
        while not claiming.done():
            registry.require_constants([], "red")
            assert set(uploads.blobs()) <= set(digests)
            assert not uploads.programs()
        claiming.result()


def test_adoption(tmp_path: Path, formula: Make) -> None:
    """What nobody owned belongs to the tenant, with its grants to others; what it has already stays."""
    with open_registry(tmp_path) as registry:
        for name in ("f", "g", "h"):
            registry.register(Registration(name, formula("sum(x)")))
        registry.register(Registration("g", formula("sum(x) * 2"), tenant="red"))
        for tenant in ("red", "blue"):
            registry.grant(Key("", "f"), tenant)
        assert refusal(lambda: registry.adopt("red", ["f", "x"])).reason is Reason.FUNCTION_NOT_FOUND
        assert registry.adopt("red", ["f"]) == Adopted(("f",), ())
        assert registry.adopt("red", ["f"]) == Adopted((), ("f",))
        assert registry.adopt("red") == Adopted(("h",), ("g",))
        assert registry.adopt("red") == Adopted((), ("g",))
    with open_registry(tmp_path) as registry:
        assert names(registry, None) == [("", "g"), ("red", "f"), ("red", "g"), ("red", "h")]
        assert registry.resolve(ResourceName("f", tenant="red"), "blue").function.grants == ("blue",)
        assert registry.program(digest_of(formula("sum(x)")), "red")


def test_who_has_a_program(registry: Registry, formula: Make) -> None:
    """The functions of all tenants that have it as a revision, in order."""
    for tenant in ("red", ""):
        registry.register(Registration("f", formula("sum(x)"), tenant=tenant))
    registry.register(Registration("f", formula("sum(x) * 2")))
    assert registry.having(digest_of(formula("sum(x)"))) == (("", "f"), ("red", "f"))
    assert registry.having("0" * 64) == ()


def test_functions_of_a_tenant_are_bounded(tmp_path: Path, formula: Make) -> None:
    """One more than it may have is refused with both numbers; revisions are no functions."""
    directory = Directory([Tenant("red", max_functions=2)], Tenant(""))
    with open_registry(tmp_path, directory.tenant) as registry:
        for name in ("f", "g"):
            registry.register(Registration(name, formula("sum(x)"), tenant="red"))
            registry.register(Registration(name, formula("sum(x)"), tenant="blue"))
        registry.register(Registration("g", formula("sum(x) * 2"), tenant="red"))
        registry.register(Registration("h", formula("sum(x)"), tenant="blue"))
        error = refusal(lambda: registry.register(Registration("h", formula("sum(x)"), tenant="red")))
        assert error.reason is Reason.TENANT_FULL
        assert error.metadata == {"limit": "2", "value": "2", "setting": "max_functions"}
        assert "may have 2 (max_functions)" in error.message
        registry.delete(Key("red", "f"))
        registry.register(Registration("h", formula("sum(x)"), tenant="red"))


def test_revisions_of_a_function_are_bounded(tmp_path: Path, formula: Make) -> None:
    """One more is refused with both numbers; one that is there may become the current one again."""
    with open_registry(tmp_path, max_revisions=2) as registry:
        for number in (1, 2):
            registry.register(Registration("f", formula(f"sum(x) * {number}")))
        error = refusal(lambda: registry.register(Registration("f", formula("sum(x) * 3"))))
        assert error.reason is Reason.TENANT_FULL
        assert error.metadata == {"limit": "2", "value": "2", "setting": "max_revisions"}
        assert "'f' has 2 of at most 2 revisions" in error.message
        first = formula("sum(x) * 1")
        assert registry.register(Registration("f", first)).revision.digest == digest_of(first)
        registry.register(Registration("g", formula("sum(x) * 3")))
        registry.delete(Key("", "f"))
        registry.register(Registration("f", formula("sum(x) * 3")))


def test_bytes_of_a_tenant_are_bounded(tmp_path: Path, formula: Make) -> None:
    """What would be too much leaves no trace; what a tenant has already costs nothing twice."""
    size = len(program_to_bytes(formula("sum(x)")))
    directory = Directory([Tenant("red", max_stored_bytes=size + 300)], Tenant(""))
    with open_registry(tmp_path, directory.tenant) as registry:
        registry.register(Registration("f", formula("sum(x)"), tenant="red"))
        registry.register(Registration("g", formula("sum(x)"), tenant="red"))
        assert registry.usage()["red"] == Usage(2, size)
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        for act in (
            lambda: bring(registry, "red"),
            lambda: registry.upload("0" * 64, bytes(301), "red"),
            lambda: registry.require_room(301, "red"),
        ):
            error = refusal(act)
            assert (error.reason, error.metadata["limit"]) == (Reason.TENANT_FULL, str(size + 300))
        assert {path for path in tmp_path.rglob("*") if path.is_file() and ".tmp-" not in path.name} == before
        registry.require_room(300, "red")
        bring(registry, "blue")
        assert registry.usage()["blue"] == Usage(0, len(WEIGHTS))
