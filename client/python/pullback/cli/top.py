"""The command `top`: what a server is doing, live in the terminal."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

import click
from google.protobuf.json_format import MessageToJson
from rich.console import Group
from rich.live import Live

from pullback._methods import GET_STATUS
from pullback.cli.connection import connected, json_option, server_option
from pullback.cli.display import console
from pullback.cli.frames import frame, unreachable
from pullback.client import Client
from pullback.errors import DeadlineExceededError, UnavailableError
from pullback.v1 import administration_pb2 as pb

_TIMEOUT: Final = 5.0


@click.command()
@click.option("--once", is_flag=True, help="Print one frame and end.")
@click.option("--interval", default=1.0, show_default=True, help="How many seconds a frame stands.")
@click.option("--window", default=10.0, show_default=True, help="Over how many seconds rates are taken.")
@click.option("--rows", default=20, show_default=True, help="The most functions and tenants to show.")
@json_option
@server_option
def top(once: bool, interval: float, window: float, rows: int, as_json: bool, server: str) -> None:
    """Show what a server is doing: workers, rates, latencies, failures."""
    request = pb.GetStatusRequest(max_rows=rows)
    request.window.FromNanoseconds(round(window * 1e9))
    with connected(server) as client:
        if as_json:
            click.echo(MessageToJson(_status(client, request)))
        elif once:
            console().print(frame(_status(client, request), server, _now()))
        else:
            _follow(client, request, frame(_status(client, request), server, _now()), interval)


def _follow(client: Client, request: pb.GetStatusRequest, first: Group, interval: float) -> None:
    """Shows frame after frame until the user has seen enough."""
    with Live(first, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(interval)
                live.update(_frame(client, request), refresh=True)
        except KeyboardInterrupt:
            return


def _frame(client: Client, request: pb.GetStatusRequest) -> Group:
    """What a server says now; that it says nothing may pass."""
    try:
        return frame(_status(client, request), client.address, _now())
    except (UnavailableError, DeadlineExceededError) as error:
        return unreachable(client.address, str(error))


def _status(client: Client, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
    return client.call(GET_STATUS, request, _TIMEOUT)


def _now() -> datetime:
    return datetime.now().astimezone()
