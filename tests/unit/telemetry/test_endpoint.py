"""The HTTP server for monitors, spoken to by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import pytest

from pullback_server.telemetry.endpoint import Endpoint, Page


async def numbers() -> Page:
    """A page in parts."""
    return Page(b"%d\n" % number for number in range(3))


async def refused() -> Page:
    """A page that is not there now."""
    return Page([b"no\n"], HTTPStatus.SERVICE_UNAVAILABLE)


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    """Where an endpoint listens."""
    endpoint = Endpoint({"/numbers": numbers, "/refused": refused})
    host, _, port = (await endpoint.start("127.0.0.1:0")).rpartition(":")
    yield host, int(port)
    endpoint.stop()


async def ask(address: tuple[str, int], text: bytes) -> bytes:
    """What is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        (b"GET /numbers HTTP/1.1\r\nHost: a\r\n\r\n", b"200 OK", b"0\n1\n2\n"),
        (b"GET /numbers?x=1 HTTP/1.0\r\n\r\n", b"200 OK", b"0\n1\n2\n"),
        (b"HEAD /numbers HTTP/1.1\r\n\r\n", b"200 OK", b""),
        (b"GET /refused HTTP/1.1\r\n\r\n", b"503 Service Unavailable", b"no\n"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404 Not Found", b"404 Not Found\n"),
        (b"POST /numbers HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b"405 Method Not Allowed\n"),
        (b"\xff\xfe\r\n\r\n", b"405 Method Not Allowed", b"405 Method Not Allowed\n"),
    ],
)
async def test_answers(address: tuple[str, int], text: bytes, status: bytes, body: bytes) -> None:
    """Pages come whole; what is no page or no request is refused."""
    head, _, rest = (await ask(address, text)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert rest == body


async def test_a_head_without_end(address: tuple[str, int]) -> None:
    """A request whose head is too long is refused, and no memory is filled with it."""
    answer = await ask(address, b"GET /numbers HTTP/1.1\r\nX: " + b"x" * 20_000)
    assert b"431" in answer.partition(b"\r\n")[0]


async def test_others_run_between_parts() -> None:
    """While a long page is written, everything else in the loop goes on."""
    ran = []

    def parts() -> Iterator[bytes]:
        for _ in range(5):
            asyncio.get_running_loop().call_soon(ran.append, None)
            yield b"x%d" % len(ran)

    async def page() -> Page:
        return Page(parts())

    endpoint = Endpoint({"/": page})
    host, _, port = (await endpoint.start("127.0.0.1:0")).rpartition(":")
    answer = await ask((host, int(port)), b"GET / HTTP/1.1\r\n\r\n")
    endpoint.stop()
    assert answer.endswith(b"x0x1x2x3x4")


@pytest.mark.parametrize("address", ["nowhere", ":9464", "127.0.0.1:", "127.0.0.1:port"])
async def test_no_address(address: str) -> None:
    """An address that is none is told, with an example."""
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9464"):
        await Endpoint({}).start(address)
