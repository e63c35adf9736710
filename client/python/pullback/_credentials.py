"""What a client shows to a server, and when it may: certificates, and tokens. The twins share it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from pullback.errors import InvalidArgumentError, invalid_argument

Token = str | Callable[[], str]
"""A bearer token, or what gives the one of now: called for each call, by whatever thread makes it."""

Authorization = Callable[[], tuple[tuple[str, str], ...]]
"""Gives the metadata that a call shows."""

_UNIX: Final = ("unix:", "unix-abstract:")
_LISTS: Final = ("ipv4:", "ipv6:")


@dataclass(frozen=True, slots=True)
class Tls:
    """How a client and a server come to trust each other; each part is a path or what it contains, in PEM.

    Attributes:
        ca: The certificates of the authorities whose servers are trusted; None for those that browsers trust.
        certificate: The client's own certificate, where a server asks for one.
        key: The private key of that certificate.
        server_name: The name that the server's certificate must have; None for that in the address.
    """

    ca: str | Path | bytes | None = None
    certificate: str | Path | bytes | None = None
    key: str | Path | bytes | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Security:
    """What a channel has of it.

    Attributes:
        credentials: For TLS; None for plain text.
        options: Options of the channel.
        authorization: The metadata that every call shows; None if it shows no token.
    """

    credentials: grpc.ChannelCredentials | None
    options: list[tuple[str, str]]
    authorization: Authorization | None


def security(
    address: str,
    token: Token | None,
    tls: bool | Tls,
    credentials: grpc.ChannelCredentials | None,
    insecure: bool,
) -> Security:
    """What `connect` was told, put together.

    Raises:
        InvalidArgumentError: If a file cannot be read, if the token will not do, or if it would cross a
            network in plain text.
    """
    chosen = Tls() if tls is True else tls or None
    options: list[tuple[str, str]] = []
    if credentials is None and chosen is not None and not address.startswith(_UNIX):
        credentials = _channel_credentials(chosen)
        if chosen.server_name is not None:
            options = [("grpc.ssl_target_name_override", chosen.server_name)]
    if token is not None and credentials is None and not insecure and not stays_here(address):
        raise _refused(
            f"a token would go to {address} in plain text, for others to read and use; give tls=True, or "
            "tls=pullback.Tls(ca=...) for an authority of your own, or insecure=True if nobody else is on "
            "that network"
        )
    return Security(credentials, options, None if token is None else _authorization(token))


def stays_here(address: str) -> bool:
    """Whether what is sent to an address does not leave this machine."""
    if address.startswith(_UNIX):
        return True
    if address.startswith(_LISTS):
        return all(_is_loopback(part) for part in address.partition(":")[2].split(","))
    return _is_loopback(address.rpartition("/")[2])


def _is_loopback(address: str) -> bool:
    host = address if address.endswith("]") or ":" not in address else address.rpartition(":")[0]
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _channel_credentials(tls: Tls) -> grpc.ChannelCredentials:
    if (tls.certificate is None) is not (tls.key is None):
        raise _refused("a client's certificate and its key go together; give both or neither")
    return grpc.ssl_channel_credentials(_content(tls.ca), _content(tls.key), _content(tls.certificate))


def _content(part: str | Path | bytes | None) -> bytes | None:
    if part is None or isinstance(part, bytes):
        return part
    try:
        return Path(part).expanduser().read_bytes()
    except OSError as error:
        raise _refused(f"the file {part} for TLS cannot be read: {error}") from error


def _authorization(token: Token) -> Authorization:
    if callable(token):
        return lambda: _metadata(_asked(token))
    shown = _metadata(token)
    return lambda: shown


def _asked(token: Callable[[], str]) -> str:
    try:
        return token()
    except Exception as error:
        # Of one class, since a call that travels with others hands its failure on to theirs.
        raise _refused(f"the function that gives the token failed: {error}") from error


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise _refused(
            "the token is empty or has characters that no token has, such as a space or a line's end; give "
            "it as it was issued"
        )
    return (("authorization", f"Bearer {token}"),)


def _refused(message: str) -> InvalidArgumentError:
    return invalid_argument("UNAUTHENTICATED", message)


class Authorized:
    """A channel, of either twin, whose calls all show a token, or what else there is to show.

    gRPC has credentials of calls for this; they go through a thread for each call, and not over plain text
    even on one machine.

    Args:
        channel: The channel.
        authorization: Gives what a call shows.
    """

    def __init__(self, channel: Any, authorization: Authorization) -> None:
        self._channel = channel
        self._authorization = authorization

    def unary_unary(self, *arguments: Any) -> Any:
        """A method that takes one message and gives one."""
        return _Shown(self._channel.unary_unary(*arguments), self._authorization)

    def unary_stream(self, *arguments: Any) -> Any:
        """A method that takes one message and gives many."""
        return _Shown(self._channel.unary_stream(*arguments), self._authorization)

    def stream_unary(self, *arguments: Any) -> Any:
        """A method that takes many messages and gives one."""
        return _Shown(self._channel.stream_unary(*arguments), self._authorization)

    def stream_stream(self, *arguments: Any) -> Any:
        """A method that takes many messages and gives many."""
        return _Shown(self._channel.stream_stream(*arguments), self._authorization)

    def close(self) -> Any:
        """Closes the channel; of the asynchronous twin, what has to be awaited."""
        return self._channel.close()


class _Shown:
    """A method of a channel, called with a token."""

    __slots__ = ("_authorization", "_method")

    def __init__(self, method: Any, authorization: Authorization) -> None:
        self._method = method
        self._authorization = authorization

    def __call__(self, *arguments: Any, metadata: Any = None, **options: Any) -> Any:
        return self._method(*arguments, metadata=(*self._authorization(), *(metadata or ())), **options)

    def future(self, *arguments: Any, metadata: Any = None, **options: Any) -> Any:
        """Calls the method, and gives the future of its answer."""
        return self._method.future(
            *arguments, metadata=(*self._authorization(), *(metadata or ())), **options
        )
