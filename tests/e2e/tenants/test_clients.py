"""What tenants and administrators do with the client library and the command line, on a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from e2e.server.running import Running

import pullback
from pullback._records import Adopted, Collected
from pullback.cli.commands import pullback as command

Tokens = dict[tuple[str, str], str]
Invoke = Callable[..., Result]
Told = Callable[[], list[dict[str, Any]]]
X = np.array([1.0, 2.0, 3.0])
SUM = pullback.Formula("sum(x)", x="f64[3]")


@pytest.fixture
def red(server: Running, tokens: Tokens) -> Iterator[pullback.Client]:
    """Somebody of the tenant red, which has f and nothing in the end."""
    with pullback.connect(server.address, token=tokens["red", "register"]) as client:
        client.register(SUM, name="f")
        yield client
        for function in client.functions():
            client.delete(function.name)


@pytest.fixture
def blue(server: Running, tokens: Tokens) -> Iterator[pullback.Client]:
    """Somebody who evaluates for the tenant blue."""
    with pullback.connect(server.address, token=tokens["blue", "evaluate"]) as client:
        yield client


@pytest.fixture
def ops(server: Running, tokens: Tokens) -> Iterator[pullback.Client]:
    """An administrator."""
    with pullback.connect(server.address, token=tokens["ops", "administer"]) as client:
        yield client


@pytest.fixture
async def patient_red(server: Running, tokens: Tokens) -> AsyncIterator[pullback.aio.AsyncClient]:
    """Somebody of the tenant red, who awaits."""
    async with pullback.aio.connect(server.address, token=tokens["red", "register"]) as client:
        yield client


@pytest.fixture
def invoke(server: Running, tokens: Tokens) -> Invoke:
    """Runs a command as a caller of a tenant and a role."""

    def invoke(who: tuple[str, str], *arguments: str) -> Result:
        environment = {"PULLBACK_TOKEN": tokens[who]}
        return CliRunner().invoke(command, [*arguments, "--server", server.address], env=environment)

    return invoke


def test_a_granted_function_is_as_an_own_one(red: pullback.Client, blue: pullback.Client) -> None:
    """By tenant/name, in calls, streams and maps, until it is revoked."""
    with pytest.raises(pullback.NotFoundError):
        blue.function("red/f")
    assert red.grant("f", "blue").grants == ("blue",)
    assert red.function("f").grants == ("blue",)
    shared = blue.function("red/f")
    assert (shared.name, shared.grants) == ("red/f", ())
    assert shared.revision.startswith("tenants/red/functions/f/revisions/")
    np.testing.assert_array_equal(shared.grad(X), np.ones(3))
    with blue.stream() as stream:
        assert stream.function(shared)(X).result() == 6.0
    assert blue.function(f"red/f@{shared.digest[:8]}").digest == shared.digest
    assert [each.name for each in blue.functions(tenant="*")] == ["red/f"]
    assert list(blue.functions()) == []
    with pytest.raises(pullback.PermissionDeniedError):
        blue.delete("red/f")
    assert red.revoke("f", "blue").grants == ()
    with pytest.raises(pullback.NotFoundError):
        shared(X)


async def test_the_same_awaited(red: pullback.Client, patient_red: pullback.aio.AsyncClient) -> None:
    """The asynchronous client grants, revokes and lists as its twin."""
    del red
    assert (await patient_red.grant("f", "*")).grants == ("*",)
    assert [each.grants async for each in patient_red.functions(tenant="red")] == [("*",)]
    assert (await patient_red.revoke("f", "*")).grants == ()
    with pytest.raises(pullback.PermissionDeniedError):
        await patient_red.administration.tenants()


def test_administration(red: pullback.Client, ops: pullback.Client) -> None:
    """What an administrator sees and does."""
    red.function("f")(X)
    tenants = {tenant.name: tenant for tenant in ops.administration.tenants()}
    assert (tenants["red"].functions, tenants["red"].max_functions) == (1, None)
    assert tenants["red"].requests > 0
    assert tenants["red"].device_seconds > 0
    assert (tenants["blue"].max_functions, tenants["blue"].max_stored_bytes) == (3, 20_000)
    assert ops.administration.quarantine() == ()
    with pytest.raises(pullback.NotFoundError):
        ops.administration.clear("0" * 8)
    assert ops.administration.collect() == Collected(0, 0, 0)
    assert ops.administration.adopt("red") == Adopted((), ())
    with pytest.raises(pullback.NotFoundError):
        ops.administration.adopt("nobody")
    with pytest.raises(pullback.PermissionDeniedError):
        _ = red.administration.tenants()


async def test_administration_awaited(server: Running, tokens: Tokens) -> None:
    """As the other twin."""
    async with pullback.aio.connect(server.address, token=tokens["ops", "administer"]) as client:
        administration = client.administration
        assert {tenant.name for tenant in await administration.tenants()} >= {"red", "blue", "ops"}
        assert await administration.quarantine() == ()
        assert await administration.requests(tenant="nobody") == ()
        with pytest.raises(pullback.NotFoundError):
            await administration.clear("0" * 8)
        assert await administration.collect() == Collected(0, 0, 0)
        assert await administration.adopt("red", ()) == Adopted((), ())


def test_requests(red: pullback.Client, ops: pullback.Client, invoke: Invoke) -> None:
    """The last evaluations, whose they were and what came of them."""
    with pytest.raises(pullback.NotFoundError):
        red.revoke("missing", "*")
    red.function("f").grad(np.stack([X, X]))
    last, *_ = ops.administration.requests(tenant="red", most=5)
    assert (last.tenant, last.derivative, last.points, last.reason) == ("red", "gradient", 2, "")
    assert 0 < last.execute_seconds <= 2 * last.seconds  # its two points may run at the same time
    assert ops.administration.requests(tenant="nobody") == ()
    shown = invoke(("ops", "administer"), "admin", "requests", "--tenant", "red", "--most", "1").output
    assert [line.split()[1:2] for line in shown.splitlines()] == [["TENANT"], ["red"]]
    listed = json.loads(invoke(("ops", "administer"), "admin", "requests", "--json").output)
    assert listed[0]["function"] == last.function


def test_an_archive(red: pullback.Client, ops: pullback.Client, tmp_path: Path, told: Told) -> None:
    """Has the functions of all tenants with their grants; what is damaged changes nothing."""
    red.grant("f", "blue")
    archive = tmp_path / "archive.tar"
    assert ops.administration.export_registry(archive) == archive.stat().st_size > 0
    red.delete("f")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(archive.read_bytes()[:-20_000])
    with pytest.raises(pullback.InvalidArgumentError, match="archive"):
        ops.administration.import_registry(damaged)
    assert list(red.functions()) == []
    imported = ops.administration.import_registry(archive)
    assert (imported.functions, imported.changed, imported.blobs) == (1, 1, 1)
    assert ops.administration.import_registry(archive).changed == 0
    assert red.function("f")(X) == 6.0
    assert red.function("f").grants == ("blue",)
    refused = tmp_path / "refused.tar"
    with pytest.raises(pullback.PermissionDeniedError):
        red.administration.export_registry(refused)
    with pytest.raises(pullback.PermissionDeniedError):
        red.administration.import_registry(archive)
    assert not list(tmp_path.glob("refused*"))
    outcomes = [(line["action"], line["outcome"]) for line in told()]
    assert [each for each in outcomes if each[0] in ("export", "import")] == [
        ("export", "OK"),
        ("import", "MALFORMED_REQUEST"),
        ("import", "OK"),
        ("import", "OK"),
        ("export", "PERMISSION_DENIED"),
        ("import", "PERMISSION_DENIED"),
    ]


async def test_an_archive_awaited(
    red: pullback.Client, server: Running, tokens: Tokens, tmp_path: Path
) -> None:
    """As the other twin."""
    archive = tmp_path / "archive.tar"
    async with pullback.aio.connect(server.address, token=tokens["ops", "administer"]) as client:
        await client.administration.export_registry(archive)
        red.delete("f")
        assert (await client.administration.import_registry(archive)).changed == 1
    assert red.function("f")(X) == 6.0


def test_commands_of_tenants(red: pullback.Client, invoke: Invoke) -> None:
    """Granting, listing, showing and revoking from the command line."""
    del red
    who = ("red", "register")
    assert invoke(who, "grant", "f", "blue").output == "f is granted to blue.\n"
    assert "granted to" in invoke(who, "show", "f").output
    assert json.loads(invoke(who, "show", "f", "--json").output)["grants"] == ["blue"]
    listed = invoke(("blue", "evaluate"), "list", "--tenant", "red", "--json")
    assert [each["name"] for each in json.loads(listed.output)] == ["red/f"]
    assert invoke(("blue", "evaluate"), "eval", "red/f", "--arg", "[1, 2, 3]").output.strip() == "value = 6."
    assert invoke(who, "revoke", "f", "blue").output == "f is granted to nobody.\n"
    refused = invoke(("blue", "evaluate"), "show", "red/f")
    assert (refused.exit_code, "no function" in refused.output) == (1, True)


def test_commands_of_administrators(red: pullback.Client, invoke: Invoke, tmp_path: Path) -> None:
    """`pullback admin`, for people and as JSON."""
    del red
    who = ("ops", "administer")
    table = invoke(who, "admin", "tenants").output
    assert [line.split()[0] for line in table.splitlines()] == ["TENANT", "blue", "ops", "red"]
    found: list[dict[str, Any]] = json.loads(invoke(who, "admin", "tenants", "--json").output)
    assert {each["name"]: each["functions"] for each in found} == {"red": 1, "blue": 0, "ops": 0}
    assert "No program is in quarantine." in invoke(who, "admin", "quarantine").output
    assert json.loads(invoke(who, "admin", "quarantine", "--json").output) == []
    assert invoke(who, "admin", "clear", "--all").output == ""
    assert invoke(who, "admin", "clear", "0" * 8).exit_code == 1
    assert invoke(who, "admin", "collect").output.startswith("Removed 0 uploads, and 0 programs")
    archive = str(tmp_path / "archive.tar")
    assert invoke(who, "admin", "export", archive).output.endswith(f"to {archive}.\n")
    taken = invoke(who, "admin", "import", archive).output
    assert taken == "Took over 1 functions, 0 of them new or changed.\n"
    assert invoke(who, "admin", "adopt", "red").output == "red has now: nothing more.\n"
    refused = invoke(("red", "register"), "admin", "tenants")
    assert (refused.exit_code, "takes the role 'administer'" in refused.output) == (1, True)
