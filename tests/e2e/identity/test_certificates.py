"""A real server that asks for certificates of clients, and how certificates are replaced while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.identity.certifying import Authority, Pair
from e2e.identity.guarded import TOKENS, Guarded, serving, tenants, until, until_serving
from grpc_health.v1 import health_pb2, health_pb2_grpc

import pullback

LAB = "spiffe://acme.example/lab"
KNOWN = f"""
[[tenants.acme.certificates]]
subject = "{LAB}"
role = "register"
[[tenants.acme.certificates]]
subject = "notebook"
role = "evaluate"
"""
FEW = 12
# Otherwise channels with equal options share one.
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture(scope="module")
def mutual(folder: Path, authority: Authority) -> Iterator[Guarded]:
    """A server that lets in only who has a certificate of the authority, and few calls at a time."""
    (folder / "tenants.toml").write_text(tenants() + KNOWN)
    flags = [
        "--listen=127.0.0.1:0",
        f"--tls-certificate={folder}/server.pem",
        f"--tls-key={folder}/server.key",
        f"--tls-client-ca={folder}/ca.pem",
        f"--tenants-file={folder}/tenants.toml",
        f"--max-concurrent-rpcs={FEW}",
    ]
    with serving(folder, *flags) as server:
        with connected(server, authority, authority.client(LAB)) as client:
            until_serving(client)
            client.register(pullback.Formula("x * 2", x="f64[]"), name="twice")
        yield server


def connected(server: Guarded, authority: Authority, pair: Pair | None, **options: Any) -> pullback.Client:
    """A client with a certificate, or without one."""
    shown = (None, None) if pair is None else (pair.certificate, pair.key)
    tls = pullback.Tls(authority.certificate, *shown)
    return pullback.connect(server.address, tls=tls, timeout=10, **options)


def test_the_right_certificate(mutual: Guarded, authority: Authority) -> None:
    """Its name is a caller of a tenant, with the role of the file."""
    with connected(mutual, authority, authority.client("spiffe://other", LAB)) as client:
        client.register(pullback.Formula("x * 3", x="f64[]"), name="thrice")
    with connected(mutual, authority, authority.client(name="notebook")) as client:
        assert client.function("thrice")(4.0) == 12.0
        with pytest.raises(pullback.PermissionDeniedError, match="'notebook' of the tenant 'acme'"):
            client.delete("twice")


def test_a_certificate_of_nobody(mutual: Guarded, authority: Authority) -> None:
    """One of the authority that is no tenant's connects, but may do nothing; its names are told."""
    for pair, name in (
        (authority.client("spiffe://stranger"), "spiffe://stranger"),
        (authority.client("spiffe://stranger", name="notebook"), "spiffe://stranger"),
        (authority.client(name=LAB + "2"), LAB + "2"),
    ):
        with (
            connected(mutual, authority, pair) as client,
            pytest.raises(pullback.PermissionDeniedError, match=f"of {name}, is no tenant's") as caught,
        ):
            client.function("twice")
        assert caught.value.reason == "UNAUTHENTICATED"


def test_a_token_goes_before_a_certificate(mutual: Guarded, authority: Authority) -> None:
    """Whoever shows both is the token's bearer, and nobody if that does not hold."""
    pair = authority.client(LAB)
    for token, words in ((TOKENS["evaluate"], "'evaluater'"), ("pb_wrong", "not accepted")):
        with (
            connected(mutual, authority, pair, token=token) as client,
            pytest.raises(pullback.PermissionDeniedError, match=words),
        ):
            client.delete("twice")


@pytest.mark.parametrize("pair", [None, Authority("theirs").client(LAB)], ids=["none", "forged"])
def test_without_the_authority_s_certificate(
    mutual: Guarded, authority: Authority, pair: Pair | None
) -> None:
    """There is no connection: neither without one, nor with one that somebody else signed."""
    credentials = grpc.ssl_channel_credentials(
        authority.certificate, *((pair.key, pair.certificate) if pair else ())
    )
    with (
        grpc.secure_channel(mutual.address, credentials) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_of_another_authority(mutual: Guarded, authority: Authority) -> None:
    """The client talks to no server that its authority did not sign."""
    theirs = Authority("theirs")
    with (
        connected(mutual, theirs, authority.client(LAB)) as client,
        pytest.raises(pullback.PullbackError),
    ):
        client.health(timeout=1)


def test_a_name_other_than_the_address_s(mutual: Guarded, authority: Authority) -> None:
    """The certificate must have the name that is asked for."""
    pair = authority.client(LAB)
    for name, good in (("localhost", True), ("elsewhere.example", False)):
        tls = pullback.Tls(authority.certificate, pair.certificate, pair.key, server_name=name)
        with pullback.connect(mutual.addresses[0], tls=tls) as client:
            if good:
                assert client.health() is pullback.Health.SERVING
            else:
                with pytest.raises(pullback.PullbackError):
                    client.health(timeout=1)


def test_more_calls_than_may_be_open(mutual: Guarded, authority: Authority) -> None:
    """They are refused, and the server goes on."""
    pair, done = authority.client(LAB), threading.Event()
    credentials = grpc.ssl_channel_credentials(authority.certificate, pair.key, pair.certificate)
    with (
        grpc.secure_channel(mutual.address, credentials) as channel,
        grpc.secure_channel(mutual.address, credentials, OWN_CONNECTION) as other,
    ):
        stub = health_pb2_grpc.HealthStub(other)
        evaluate = channel.stream_unary("/pullback.v1.EvaluationService/Evaluate")
        calls = [evaluate.future(silence(done)) for _ in range(FEW)]
        until(lambda: refused(stub))
        done.set()
        assert {call.code() for call in calls} == {grpc.StatusCode.INVALID_ARGUMENT}
        until(lambda: not refused(stub))


def silence(end: threading.Event) -> Iterator[bytes]:
    """A call's request: none, until it may end."""
    end.wait(60)
    yield from ()


def refused(stub: health_pb2_grpc.HealthStub) -> bool:
    """Whether a call finds too many others."""
    try:
        stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    except grpc.RpcError as error:
        return bool(error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
    return False


def test_certificates_are_replaced_while_the_server_runs(mutual: Guarded, authority: Authority) -> None:
    """New connections get the new ones, others go on, and files that do not fit change nothing."""
    new, folder = Authority("new"), mutual.folder
    with connected(mutual, authority, authority.client(LAB)) as before:
        assert before.health() is pullback.Health.SERVING
        (folder / "server.key").write_bytes(new.server().key)
        mutual.reload("nothing was read anew")
        assert "TLS with the certificate" in mutual.log
        with connected(mutual, authority, authority.client(LAB)) as client:
            assert client.health() is pullback.Health.SERVING
        new.server().write(folder / "server.pem", folder / "server.key")
        (folder / "ca.pem").write_bytes(new.certificate)
        mutual.reload()
        with connected(mutual, new, new.client(LAB)) as client:
            assert client.function("twice")(3.0) == 6.0
        with connected(mutual, new, authority.client(LAB)) as client, pytest.raises(pullback.PullbackError):
            client.health(timeout=1)
        assert before.function("twice")(2.0) == 4.0


def test_two_ports_have_the_same_certificates(tmp_path: Path) -> None:
    """Both begin with the first ones, and both get those that replace them."""
    first, second = Authority("first"), Authority("second")
    first.server().write(tmp_path / "server.pem", tmp_path / "server.key")
    flags = [
        "--listen=127.0.0.1:0,127.0.0.1:0",
        f"--tls-certificate={tmp_path}/server.pem",
        f"--tls-key={tmp_path}/server.key",
    ]
    with serving(tmp_path, *flags) as server:
        assert answered(server, first) == [True, True]
        second.server().write(tmp_path / "server.pem", tmp_path / "server.key")
        server.reload()
        assert answered(server, second) == [True, True]
        assert answered(server, first) == [False, False]


def answered(server: Guarded, authority: Authority) -> list[bool]:
    """At which addresses new connections find a server of an authority."""
    credentials = grpc.ssl_channel_credentials(authority.certificate)
    codes = []
    for address in server.addresses:
        with grpc.secure_channel(address, credentials, OWN_CONNECTION) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            codes.append(check.future(b"", timeout=20).code())
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    return [code is grpc.StatusCode.OK for code in codes]
