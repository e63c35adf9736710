"""What a client shows, and when it may."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

import pullback
from pullback._credentials import Tls, security, stays_here

OURS = "pb_ours"


@pytest.mark.parametrize(
    "address",
    [
        "localhost:7450",
        "127.0.0.1:7450",
        "127.8.9.1:1",
        "[::1]:7450",
        "localhost",
        "dns:///localhost:7450",
        "unix:/run/pullback",
        "unix:///run/pullback",
        "ipv4:127.0.0.1:1,127.0.0.1:2",
    ],
)
def test_what_stays_on_this_machine(address: str) -> None:
    """A token may go there in plain text."""
    assert stays_here(address)
    assert security(address, "pb_x", tls=False, credentials=None, insecure=False).credentials is None


@pytest.mark.parametrize(
    "address",
    [
        "example.org:7450",
        "10.0.0.1:7450",
        "[2001:db8::1]:7450",
        "localhost.example.org:1",
        "127.0.0.1.example.org:1",
        "dns://localhost/example.org:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "xds:///service",
        "",
    ],
)
@pytest.mark.parametrize("connect", [pullback.connect, pullback.aio.connect])
async def test_a_token_crosses_no_network_in_plain_text(connect: Any, address: str) -> None:
    """Not unless somebody says so."""
    with pytest.raises(pullback.InvalidArgumentError, match="plain text") as caught:
        connect(address, token=OURS)
    assert OURS not in str(caught.value)
    assert security(address, "pb_x", tls=False, credentials=None, insecure=True).authorization is not None
    assert security(address, "pb_x", tls=True, credentials=None, insecure=False).credentials is not None


def test_what_calls_show() -> None:
    """A text is always the same; a function is asked for each call."""
    tokens = iter(["one", "two"])
    fixed = security("localhost", "pb_x", tls=False, credentials=None, insecure=False).authorization
    changing = security("localhost", lambda: next(tokens), tls=False, credentials=None, insecure=False)
    assert fixed is not None
    assert changing.authorization is not None
    assert fixed() == fixed() == (("authorization", "Bearer pb_x"),)
    assert [changing.authorization()[0][1] for _ in range(2)] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("token", ["", "a b", "pb_x\n", "schlüssel"])
def test_what_is_no_token(token: str) -> None:
    """What would break the call, or stay unseen at the end of a line, is refused, and not repeated."""
    with pytest.raises(pullback.InvalidArgumentError, match="as it was issued"):
        pullback.connect(token=token)


def test_a_socket_needs_no_tls() -> None:
    """What does not leave the machine is not encrypted, whatever was set for other servers."""
    tls = Tls(ca=b"no certificate")
    assert security("unix:/socket", None, tls=tls, credentials=None, insecure=False).credentials is None


def test_files_for_tls(tmp_path: Path) -> None:
    """What is missing is named."""
    with pytest.raises(pullback.InvalidArgumentError, match=r"absent\.pem"):
        pullback.connect(tls=Tls(ca=tmp_path / "absent.pem"))
    with pytest.raises(pullback.InvalidArgumentError, match="go together"):
        pullback.connect(tls=Tls(certificate=b"x"))
    named = security("h:1", None, tls=Tls(server_name="n"), credentials=None, insecure=False)
    assert named.options == [("grpc.ssl_target_name_override", "n")]


async def _of(value: Any) -> Any:
    """What a call of either twin gives."""
    return await value if isinstance(value, Awaitable) else value


@pytest.mark.parametrize("connect", [pullback.connect, pullback.aio.connect])
async def test_a_function_that_fails_is_named(connect: Any, served: Any) -> None:
    """A call, and an evaluation that would travel with others, fail with what the function said."""

    def token() -> str:
        raise OSError("the vault is shut")

    client = connect(served[0], token=token)
    try:
        with pytest.raises(pullback.InvalidArgumentError, match="the vault is shut"):
            await _of(client.capabilities())
    finally:
        await _of(client.close())
