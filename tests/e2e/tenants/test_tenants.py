"""Callers of two tenants and three roles on one real server: who sees, changes and evaluates what."""

from __future__ import annotations

import hashlib
import queue
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import SERVICES, Running, details, formula
from e2e.tenants.conftest import As, Caller

from pullback.program.container import Constant, Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.signature import Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.wire import program_to_bytes, program_to_wire
from pullback.v1 import evaluation_pb2, functions_pb2, graphs_pb2

Told = Callable[[], list[dict[str, Any]]]
X = np.array([1.0, 2.0, 3.0])
OTHERS = "tenants/red/functions/f"
NOT_FOUND = grpc.StatusCode.NOT_FOUND
DENIED = grpc.StatusCode.PERMISSION_DENIED


def registering(name: str, source: str = "sum(x)") -> functions_pb2.RegisterFunctionRequest:
    """The request that registers a formula of a vector."""
    return functions_pb2.RegisterFunctionRequest(
        name=name, program=program_to_wire(formula(source, x="f64[3]"))
    )


@pytest.fixture
def red(as_: As) -> Caller:
    """Somebody who registers for the tenant red, which has the function f."""
    caller = as_("red", "register")
    caller.call("FunctionService/RegisterFunction", registering("functions/f"))
    return caller


@pytest.fixture
def blue(as_: As) -> Iterator[Caller]:
    """Somebody who registers for the tenant blue, which has nothing in the end."""
    caller = as_("blue", "register")
    yield caller
    for function in caller.call("FunctionService/ListFunctions").functions:
        caller.call("FunctionService/DeleteFunction", functions_pb2.DeleteFunctionRequest(name=function.name))


def everything(name: str) -> dict[str, Any]:
    """A request of each method that names a function."""
    return {
        "EvaluationService/Evaluate": Caller.asking(name, X),
        "EvaluationService/Compile": evaluation_pb2.CompileRequest(
            function=name, wants=[evaluation_pb2.Want(quantity="QUANTITY_GRADIENT")]
        ),
        "GraphService/GetGraph": graphs_pb2.GetGraphRequest(
            function=name, wants=[evaluation_pb2.Want(quantity="QUANTITY_GRADIENT")]
        ),
        "FunctionService/GetFunction": functions_pb2.GetFunctionRequest(name=name),
        **changing(name),
    }


def changing(name: str) -> dict[str, Any]:
    """A request of each method that changes a function."""
    return {
        "FunctionService/RegisterFunction": registering(name),
        "FunctionService/DeleteFunction": functions_pb2.DeleteFunctionRequest(name=name),
        "FunctionService/GrantFunction": functions_pb2.GrantFunctionRequest(name=name, tenant="blue"),
        "FunctionService/RevokeFunction": functions_pb2.RevokeFunctionRequest(name=name, tenant="blue"),
    }


def grant(caller: Caller, tenant: str = "blue", name: str = "functions/f") -> functions_pb2.Function:
    """Grants a function."""
    message = functions_pb2.GrantFunctionRequest(name=name, tenant=tenant)
    function: functions_pb2.Function = caller.call("FunctionService/GrantFunction", message).function
    return function


def revoke(caller: Caller, tenant: str = "blue", name: str = "functions/f") -> functions_pb2.Function:
    """Takes a grant back."""
    message = functions_pb2.RevokeFunctionRequest(name=name, tenant=tenant)
    function: functions_pb2.Function = caller.call("FunctionService/RevokeFunction", message).function
    return function


def test_the_same_name_means_each_tenants_own(red: Caller, blue: Caller) -> None:
    """To the same bytes of a request, one after the other, on one server."""
    blue.call("FunctionService/RegisterFunction", registering("functions/f", "sum(x) * 10"))
    for _ in range(3):
        assert (red.value("functions/f", X), blue.value("functions/f", X)) == (6.0, 60.0)
    assert red.value("tenants/red/functions/f", X) == 6.0
    assert red.function("functions/f").name == red.function(OTHERS).name == "functions/f"


@pytest.mark.parametrize("method", everything("any"))
def test_what_is_not_granted_is_not_there(red: Caller, blue: Caller, method: str) -> None:
    """Whatever one asks of it: the answer is that of a function that does not exist, to the word."""
    code, info = blue.refused(method, everything(OTHERS)[method])
    other, missing = blue.refused(method, everything("tenants/red/functions/g")[method])
    assert (code, info.reason) == (other, missing.reason) == (NOT_FOUND, "FUNCTION_NOT_FOUND")
    assert sorted(info.metadata) == sorted(missing.metadata)
    assert red.value("functions/f", X) == 6.0


def test_granted_and_revoked(red: Caller, blue: Caller, as_: As) -> None:
    """A grant holds for seeing and evaluating, not for changing; without it nothing is left."""
    assert list(grant(red).grants) == ["blue"]
    assert as_("blue", "evaluate").value(OTHERS, X) == 6.0
    seen = blue.function(OTHERS)
    assert (seen.name, list(seen.grants)) == (OTHERS, [])
    assert seen.revision.startswith(f"{OTHERS}/revisions/")
    for method, message in changing(OTHERS).items():
        assert blue.refused(method, message)[1].reason == "PERMISSION_DENIED"
    listed = functions_pb2.ListFunctionsRequest(tenant="red")
    assert [each.name for each in blue.call("FunctionService/ListFunctions", listed).functions] == [OTHERS]
    assert not blue.call("FunctionService/ListFunctions").functions
    assert list(revoke(red).grants) == []
    for method, message in everything(OTHERS).items():
        assert blue.refused(method, message)[0] is NOT_FOUND
    assert not blue.call("FunctionService/ListFunctions", listed).functions


def test_a_revoked_grant_holds_for_the_next_request_of_a_stream(red: Caller, blue: Caller) -> None:
    """Also where requests that look alike were answered just before."""
    grant(red, "*")

    sending: queue.SimpleQueue[evaluation_pb2.EvaluateStreamRequest | None] = queue.SimpleQueue()
    call = blue.server.channel.stream_stream(
        "/pullback.v1.EvaluationService/EvaluateStream",
        request_serializer=evaluation_pb2.EvaluateStreamRequest.SerializeToString,
        response_deserializer=evaluation_pb2.EvaluateStreamResponse.FromString,
    )
    bearer = [("authorization", f"Bearer {blue.token}")]
    answers = call(iter(sending.get, None), metadata=bearer, timeout=60)
    codes = []
    for number in range(4):
        if number == 2:
            revoke(red, "*")
        sending.put(evaluation_pb2.EvaluateStreamRequest(id=number, request=Caller.asking(OTHERS, X)))
        codes.append(next(answers).error.code)
    sending.put(None)
    assert codes == [0, 0, *[NOT_FOUND.value[0]] * 2]


@pytest.mark.parametrize("tenant", ["red", "nobody", "", "a/b", "**"])
def test_grants_to_nobody(red: Caller, tenant: str) -> None:
    """A tenant has its own functions, and others have to be there."""
    message = functions_pb2.GrantFunctionRequest(name="functions/f", tenant=tenant)
    reason = red.refused("FunctionService/GrantFunction", message)[1].reason
    assert reason == ("MALFORMED_REQUEST" if tenant == "red" else "TENANT_NOT_FOUND")


def test_who_evaluates_changes_nothing(red: Caller, as_: As) -> None:
    """The role of a token is asked before anything else."""
    caller = as_("red", "evaluate")
    assert caller.value("functions/f", X) == 6.0
    assert caller.function("functions/f").name == "functions/f"
    for name in ("functions/f", "functions/missing", OTHERS):
        for method, message in changing(name).items():
            code, info = caller.refused(method, message)
            assert (code, info.metadata["needed"]) == (DENIED, "register")
    digests = functions_pb2.ListMissingConstantsRequest(digests=["0" * 64])
    assert caller.refused("FunctionService/ListMissingConstants", digests)[0] is DENIED
    for method in ("UploadProgram", "UploadConstant"):
        assert caller.refused(f"FunctionService/{method}", iter(()))[0] is DENIED
    assert red.value("functions/f", X) == 6.0


def test_administrators(red: Caller, blue: Caller, as_: As) -> None:
    """They see, grant and delete what others have, and neither evaluate nor register it."""
    grant(red)
    ops = as_("ops", "administer")
    assert list(ops.function(OTHERS).grants) == ["blue"]
    blue.call("FunctionService/RegisterFunction", registering("functions/mine"))
    listed = ops.call("FunctionService/ListFunctions", functions_pb2.ListFunctionsRequest(tenant="*"))
    assert [each.name for each in listed.functions] == ["tenants/blue/functions/mine", OTHERS]
    assert ops.refused("EvaluationService/Evaluate", Caller.asking(OTHERS, X))[0] is NOT_FOUND
    assert ops.refused("FunctionService/RegisterFunction", registering(OTHERS))[0] is DENIED
    assert list(revoke(ops, name=OTHERS).grants) == []
    used = {each.name: each for each in ops.call("AdministrationService/ListTenants").tenants}
    assert set(used) >= {"red", "blue", "ops"}
    assert (used["red"].functions, used["blue"].functions, used["blue"].max_functions) == (1, 1, 3)
    assert used["red"].stored_bytes > 0
    assert not used["red"].HasField("max_functions")
    ops.call("FunctionService/DeleteFunction", functions_pb2.DeleteFunctionRequest(name=OTHERS))
    assert red.refused("EvaluationService/Evaluate", Caller.asking("functions/f", X))[0] is NOT_FOUND


@pytest.mark.parametrize(
    "method",
    [method.name for method in SERVICES["AdministrationService"].methods if not method.client_streaming],
)
def test_administration_is_for_administrators(red: Caller, as_: As, method: str) -> None:
    """No other role calls a method of it."""
    for caller in (red, as_("ops", "evaluate")):
        code, info = caller.refused(f"AdministrationService/{method}")
        assert (code, info.metadata["needed"]) == (DENIED, "administer")


def test_garbage(red: Caller, as_: As) -> None:
    """Collecting it leaves what is in use, and what somebody is about to register."""
    program = formula("sum(x) * 7", x="f64[3]")
    data, digest = program_to_bytes(program), digest_of(program)
    chunk = functions_pb2.UploadProgramRequest(digest=digest, size_bytes=len(data), chunk=data)
    red.call("FunctionService/UploadProgram", iter([chunk]))
    collected = as_("ops", "administer").call("AdministrationService/CollectGarbage")
    assert (collected.uploads, collected.blobs, collected.bytes) == (0, 0, 0)
    message = functions_pb2.RegisterFunctionRequest(name="functions/g", program_digest=digest)
    assert red.call("FunctionService/RegisterFunction", message).created
    assert red.value("functions/g", X) == 42.0
    red.call("FunctionService/DeleteFunction", functions_pb2.DeleteFunctionRequest(name="functions/g"))


def test_a_digest_is_no_key(red: Caller, blue: Caller) -> None:
    """Who knows the digests of a program and of a constant has neither."""
    program = formula("sum(x) * 3", x="f64[3]")
    data, digest = program_to_bytes(program), digest_of(program)
    chunk = functions_pb2.UploadProgramRequest(digest=digest, size_bytes=len(data), chunk=data)
    red.call("FunctionService/UploadProgram", iter([chunk]))
    message = functions_pb2.RegisterFunctionRequest(name="functions/g", program_digest=digest)
    assert blue.refused("FunctionService/RegisterFunction", message)[1].reason == "PROGRAM_NOT_FOUND"
    weights = b"weights" * 100
    constant = hashlib.sha256(weights).hexdigest()
    part = functions_pb2.UploadConstantRequest(digest=constant, size_bytes=len(weights), chunk=weights)
    red.call("FunctionService/UploadConstant", iter([part]))
    asked = functions_pb2.ListMissingConstantsRequest(digests=[constant])
    for caller, missing in ((red, []), (blue, [constant])):
        answer = caller.call("FunctionService/ListMissingConstants", asked)
        assert list(answer.missing_digests) == missing


def test_a_worker_does_not_tell_of_constants_either(red: Caller, blue: Caller) -> None:
    """A program that names another tenant's constant is refused as one whose constant nobody has."""
    weights = b"weights" * 100
    known, unknown = hashlib.sha256(weights).hexdigest(), "0" * 64
    part = functions_pb2.UploadConstantRequest(digest=known, size_bytes=len(weights), chunk=weights)
    red.call("FunctionService/UploadConstant", iter([part]))
    for digest in (known, unknown):
        constant = Constant(parse_tensor_type(f"ui8[{len(weights)}]"), digest)
        program = Program(StableHlo(b"no module", (), (constant,)), Signature((), None))
        message = functions_pb2.RegisterFunctionRequest(
            name="functions/probe", program=program_to_wire(program)
        )
        info = blue.refused("FunctionService/RegisterFunction", message)[1]
        assert (info.reason, info.metadata["digest"]) == ("CONSTANT_NOT_FOUND", digest)


def test_a_tenant_may_have_so_much(blue: Caller, red: Caller) -> None:
    """One function more, or bytes more, than the tenants file says is refused with the numbers."""
    for name in "abc":
        blue.call("FunctionService/RegisterFunction", registering(f"functions/{name}"))
    code, info = blue.refused("FunctionService/RegisterFunction", registering("functions/d"))
    assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TENANT_FULL")
    assert (info.metadata["limit"], info.metadata["setting"]) == ("3", "max_functions")
    blue.call("FunctionService/RegisterFunction", registering("functions/a", "sum(x) * 2"))
    announced = functions_pb2.UploadConstantRequest(digest="0" * 64, size_bytes=20_000)
    info = blue.refused("FunctionService/UploadConstant", iter([announced]))[1]
    assert (info.reason, info.metadata["setting"]) == ("TENANT_FULL", "max_stored_bytes")
    red.call("FunctionService/RegisterFunction", registering("functions/d"))
    red.call("FunctionService/DeleteFunction", functions_pb2.DeleteFunctionRequest(name="functions/d"))


def test_what_is_audited(red: Caller, blue: Caller, as_: As, server: Running, told: Told) -> None:
    """Changes and refusals stand in the log when the call is answered; evaluations and looks do not."""
    red.call("FunctionService/RegisterFunction", registering("functions/new"))
    red.value("functions/new", X)
    red.function("functions/new")
    (line,) = told()[-1:]
    assert line.pop("time")
    assert line.pop("request_id")
    assert line.pop("peer").startswith("ipv4:127.0.0.1:")
    assert line == {
        "tenant": "red",
        "subject": "red-register",
        "role": "register",
        "action": "register",
        "resource": "tenants/red/functions/new",
        "outcome": "OK",
        "digest": digest_of(formula("sum(x)", x="f64[3]")),
    }
    before = len(told())
    grant(red, name="functions/new")
    revoke(red, name="functions/new")
    delete = functions_pb2.DeleteFunctionRequest(name="tenants/red/functions/new")
    blue.refused("FunctionService/DeleteFunction", delete)
    as_("red", "evaluate").refused("FunctionService/DeleteFunction", delete)
    blue.refused("AdministrationService/ListTenants")
    Caller(server, "stolen").refused("FunctionService/DeleteFunction", delete)
    red.call("FunctionService/DeleteFunction", delete)
    lines = told()[before:]
    assert [(line["action"], line["outcome"]) for line in lines] == [
        ("grant", "OK"),
        ("revoke", "OK"),
        ("delete", "FUNCTION_NOT_FOUND"),
        ("delete", "PERMISSION_DENIED"),
        ("call", "PERMISSION_DENIED"),
        ("call", "UNAUTHENTICATED"),
        ("delete", "OK"),
    ]
    assert [line.get("grantee") for line in lines[:3]] == ["blue", "blue", None]
    assert [line.get("subject") for line in lines[3:6]] == ["red-evaluate", "blue-register", None]


def test_names_of_other_tenants_stay_unknown(blue: Caller) -> None:
    """A tenant that does not exist answers as one that has nothing for the caller."""
    for tenant in ("red", "missing", "a/b"):
        listed = functions_pb2.ListFunctionsRequest(tenant=tenant)
        assert not blue.call("FunctionService/ListFunctions", listed).functions
    with pytest.raises(grpc.RpcError) as caught:
        blue.value("tenants/missing/functions/f", X)
    assert details(caught.value)[1].reason == "FUNCTION_NOT_FOUND"
