"""A small HTTP server for monitors, in the loop of those that it tells about.

It answers GET and HEAD for a few pages and closes the connection after each. A page comes in parts, and
between them everything else in the loop goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_PLAIN: Final = "text/plain; charset=utf-8"
_LONGEST_HEAD: Final = 8192
_SECONDS: Final = 10.0
_MOST_CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered.

    Attributes:
        parts: The text, in parts that take little time each.
        status: The status.
        content_type: What the text is.
    """

    parts: Iterable[bytes]
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN


class Endpoint:
    """Serves pages.

    Args:
        pages: By path, what makes the page.
    """

    def __init__(self, pages: Mapping[str, Callable[[], Awaitable[Page]]]) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._places = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def start(self, address: str) -> str:
        """Listens on `host:port`; gives the address with the port that it got.

        Raises:
            OSError: If it cannot be listened on.
        """
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise OSError(f"{address!r} is no host:port to show metrics at, such as 127.0.0.1:9464")
        self._server = await asyncio.start_server(
            self._answer, host.strip("[]"), int(port), limit=_LONGEST_HEAD, reuse_port=False
        )
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What is wrong with a connection is its client's to see; it closes the connection and no more.
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_SECONDS), self._places:
                await self._respond(reader, writer)
        writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            await _write(writer, _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), body=True)
            return
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            page = _refusal(HTTPStatus.METHOD_NOT_ALLOWED)
        elif path not in self._pages:
            page = _refusal(HTTPStatus.NOT_FOUND)
        else:
            page = await self._pages[path]()
        await _write(writer, page, body=method != "HEAD")


async def _write(writer: asyncio.StreamWriter, page: Page, *, body: bool) -> None:
    status = f"HTTP/1.1 {page.status.value} {page.status.phrase}"
    head = f"{status}\r\nContent-Type: {page.content_type}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    for part in page.parts if body else ():
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    await writer.drain()


def _refusal(status: HTTPStatus) -> Page:
    return Page([f"{status.value} {status.phrase}\n".encode()], status)
