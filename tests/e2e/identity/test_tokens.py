"""A real server over TLS: whom it lets in, for what, and for how long."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.identity.guarded import TOKENS, Guarded, Issuer, tenants
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import pullback
from pullback.v1 import administration_pb2

X = np.array([1.0, 2.0, 3.0])
Connect = Callable[..., pullback.Client]


@pytest.fixture
def connect(server: Guarded) -> Connect:
    """Connects to the server with a token, or without."""

    def connect(token: Any = None, kind: Any = pullback.connect) -> Any:
        return kind(server.address, tls=pullback.Tls(ca=server.folder / "ca.pem"), token=token)

    return connect


def refusal(connect: Connect, token: Any = None) -> pullback.PullbackError:
    """Why an evaluation with this token is refused."""
    with connect(token) as client, pytest.raises(pullback.PermissionDeniedError) as caught:
        client.function("squares")
    return caught.value


def test_without_a_token(connect: Connect) -> None:
    """Nobody is let in who shows nothing, and told what to show; health answers all the same."""
    error = refusal(connect)
    assert (error.code, error.reason) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
    assert "pullback.connect(address, token=...)" in error.message
    assert error.request_id
    with connect() as client:
        assert client.health() is pullback.Health.SERVING


@pytest.mark.parametrize("token", ["pb_wrong", "x", "a.b.c", TOKENS["register"] + "x"])
def test_with_a_wrong_token(connect: Connect, token: str) -> None:
    """It is refused, and not repeated."""
    error = refusal(connect, token)
    assert error.reason == "UNAUTHENTICATED"
    assert "not accepted" in error.message


def test_with_the_right_token(connect: Connect) -> None:
    """Every way to evaluate goes through: alone, in a stream, in a map, large ones, and compiling ahead."""
    with connect(TOKENS["evaluate"]) as client:
        f = client.function("squares")
        assert f(X) == 14.0
        with client.stream() as stream:
            np.testing.assert_array_equal(stream.function(f).grad(X).result(), 2 * X)
        np.testing.assert_array_equal(f.map(np.stack([X, -X]), want=["grad"])["grad"], [2 * X, -2 * X])
        assert f(np.ones((60_000, 3))).shape == (60_000,)
        f.compile(want=["hessian"])


async def test_the_asynchronous_twin(connect: Connect) -> None:
    """It shows the same, and a function that gives tokens is asked for each call."""
    asked: list[str] = []

    def token() -> str:
        asked.append("")
        return TOKENS["evaluate"]

    async with connect(token, pullback.aio.connect) as client:
        f = await client.function("squares")
        assert await f(X) == 14.0
        assert await f(X) == 14.0
    assert len(asked) == 3


def test_too_little_a_role(connect: Connect, server: Guarded) -> None:
    """Who may evaluate may not register or delete, and who may register may not administer."""
    with connect(TOKENS["evaluate"]) as client:
        for act in (
            lambda: client.register(pullback.Formula("x", x="f64[]"), name="new"),
            lambda: client.delete("squares"),
        ):
            with pytest.raises(pullback.PermissionDeniedError, match="'evaluate'") as caught:
                act()
            assert caught.value.reason == "PERMISSION_DENIED"
    for role, code in (("register", grpc.StatusCode.PERMISSION_DENIED), ("administer", None)):
        assert code_of(server, "/pullback.v1.AdministrationService/ListTenants", TOKENS[role]) is code


def code_of(server: Guarded, path: str, token: str | None) -> grpc.StatusCode | None:
    """With what code a call without a message's fields ends; None for a good one."""
    credentials = grpc.ssl_channel_credentials((server.folder / "ca.pem").read_bytes())
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    empty = administration_pb2.ListTenantsRequest().SerializeToString()
    with grpc.secure_channel(server.address, credentials) as channel:
        try:
            channel.unary_unary(path)(empty, metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            return error.code()
    return None


def test_the_api_is_told_to_callers_only(server: Guarded) -> None:
    """Reflection is closed to those who show nothing."""
    credentials = grpc.ssl_channel_credentials((server.folder / "ca.pem").read_bytes())
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with grpc.secure_channel(server.address, credentials) as channel:
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        with pytest.raises(grpc.RpcError) as caught:
            list(ask(iter([request]), timeout=10))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        shown = (("authorization", f"Bearer {TOKENS['evaluate']}"),)
        (answer,) = ask(iter([request]), metadata=shown, timeout=10)
        assert len(answer.list_services_response.service) > 4


def test_jwts(connect: Connect, issuer: Issuer) -> None:
    """A good one lets in; those out of date, for others or of others do not, nor those of unknown tenants."""
    with connect(issuer.token()) as client:
        assert client.function("squares")(X) == 14.0
    for changes, reason, words in (
        ({"exp": time.time() - 1}, "UNAUTHENTICATED", "expired"),
        ({"aud": "another"}, "UNAUTHENTICATED", "not made for this server"),
        ({"iss": "https://evil.example"}, "UNAUTHENTICATED", "another issuer"),
        ({"tenant": "nobody"}, "PERMISSION_DENIED", "no tenant 'nobody'"),
        ({"role": "root"}, "PERMISSION_DENIED", "none of the roles"),
    ):
        error = refusal(connect, issuer.token(**changes))
        assert (error.reason, words in error.message) == (reason, True)


def test_forged_jwts(connect: Connect, issuer: Issuer) -> None:
    """Neither one without a signature nor one whose claims were changed after it was signed."""
    _, claims, signature = issuer.token().split(".")
    bare = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    raised = json.loads(base64.urlsafe_b64decode(claims + "=="))
    raised["role"] = "administer"
    changed = base64.urlsafe_b64encode(json.dumps(raised).encode()).rstrip(b"=").decode()
    header = issuer.token().split(".")[0]
    for token in (f"{bare}.{claims}.", f"{header}.{changed}.{signature}"):
        assert refusal(connect, token).reason == "UNAUTHENTICATED"


def test_a_stream_ends_with_its_token(connect: Connect, issuer: Issuer) -> None:
    """What is asked before the token expires is answered; then the stream ends and says why."""
    with connect(issuer.token(exp=time.time() + 1.5)) as client:
        f = client.function("squares")
        with pytest.raises(pullback.PermissionDeniedError, match="has expired"):
            _ask_until_it_ends(client, f)


@pytest.mark.parametrize("kind", ["stream", "map"])
def test_a_function_of_tokens_outlives_them(connect: Connect, issuer: Issuer, kind: str) -> None:
    """A stream or a map that takes longer than a token holds goes on with the next one; nothing is lost."""
    asked: list[float] = []

    def token() -> str:
        asked.append(time.time())
        return issuer.token(exp=time.time() + 1)

    def points() -> Iterator[np.ndarray[Any, Any]]:
        while time.time() < asked[0] + 2.5:
            time.sleep(0.02)
            yield X

    with connect(token) as client:
        f = client.function("squares")
        if kind == "map":
            results = [float(each.value) for each in f.imap(points(), chunk=1)]
        else:
            with client.stream() as stream:
                results = [float(stream.function(f)(x).result(10)) for x in points()]
    assert len(results) > 10
    assert set(results) == {14.0}
    assert len(asked) >= 4


def test_a_stream_ends_when_its_token_is_withdrawn(connect: Connect, server: Guarded) -> None:
    """After a reload without it the token is nobody's, in open streams and in new calls."""
    file = server.folder / "tenants.toml"
    before = file.read_text()
    file.write_text(tenants(tokens=TOKENS | {"evaluate": "pb_short-lived"}))
    server.reload()
    with connect("pb_short-lived") as client:
        f = client.function("squares")
        file.write_text(before)
        with pytest.raises(pullback.PermissionDeniedError, match="neither a token"):
            _ask_until_it_ends(client, f, server.reload)
    assert refusal(connect, "pb_short-lived").reason == "UNAUTHENTICATED"


def _ask_until_it_ends(client: Any, f: Any, then: Callable[[], object] = lambda: None) -> None:
    with client.stream() as stream:
        asked = stream.function(f)
        assert asked(X).result(10) == 14.0
        then()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert asked(X).result(10) == 14.0
            time.sleep(0.02)


def test_the_issuer_changes_its_key(connect: Connect, server: Guarded, issuer: Issuer) -> None:
    """Tokens of the new key hold once it is known, and those of the old one no longer."""
    old = issuer.token()
    issuer.rotate("second")
    server.reload()
    with connect(issuer.token()) as client:
        assert client.function("squares")(X) == 14.0
    assert "'first'" in refusal(connect, old).message


def test_a_tenants_file_that_will_not_do(connect: Connect, server: Guarded) -> None:
    """A reload changes nothing then, and the log says why."""
    file = server.folder / "tenants.toml"
    before = file.read_text()
    file.write_text(before + "\nweigth = 1\n")
    server.reload("nothing was read anew")
    assert "weigth" in server.log
    file.write_text(before)
    with connect(TOKENS["evaluate"]) as client:
        assert client.function("squares")(X) == 14.0


def test_users_of_this_machine(server: Guarded) -> None:
    """Over a socket of the server's own user nobody is asked; who shows a token is its bearer."""
    with pullback.connect(server.addresses[1]) as client:
        assert client.capabilities().server_version == pullback.__version__
    with (
        pullback.connect(server.addresses[1], token=TOKENS["evaluate"]) as client,
        pytest.raises(pullback.PermissionDeniedError),
    ):
        client.delete("squares")


def test_the_command_line(server: Guarded) -> None:
    """It takes its token and its authority from the environment."""
    command = [sys.executable, "-m", "pullback", "eval", "squares", "--arg", "[1, 2, 3]"]
    environment = os.environ | {
        "PULLBACK_SERVER": server.address,
        "PULLBACK_CA": str(server.folder / "ca.pem"),
        "PULLBACK_TOKEN": TOKENS["evaluate"],
    }
    for given, status, words in (
        (environment, 0, "14"),
        (environment | {"PULLBACK_TOKEN": "pb_x"}, 1, "token"),
    ):
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, words in done.stdout + done.stderr) == (status, True), done.stderr
