"""Starts a server: `python -m pullback_server --help`."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from pullback_server.allocation import keep_freed_memory
from pullback_server.app import Server
from pullback_server.configuration.settings import Settings
from pullback_server.configuration.sources import ConfigurationError, load_settings
from pullback_server.engine.devices import DevicesError
from pullback_server.registry.files import DirectoryInUseError
from pullback_server.services.entrance import EntranceError
from pullback_server.services.listening import ListenError
from pullback_server.telemetry.logs import LogFormat, set_up_logging
from pullback_server.telemetry.tracing import TracingError

_STDIN = 0
_CHUNK = 4096


def main() -> None:
    """Serves until SIGTERM or SIGINT, or until standard input is closed where that was asked for.

    Raises:
        SystemExit: With status 2 and a sentence for settings that cannot be, 1 if the server cannot start.
    """
    try:
        settings = load_settings(sys.argv[1:])
    except ConfigurationError as error:
        _fail(str(error), 2)
    keep_freed_memory(settings.max_bytes_in_flight)
    set_up_logging(settings.log_level, LogFormat(settings.log_format))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings))
        _remove(settings.temporary_dir)
    except EntranceError as error:
        _fail(str(error), 2)
    except (DevicesError, DirectoryInUseError, ListenError, TracingError, OSError) as error:
        _fail(str(error), 1)


async def _serve(settings: Settings) -> None:
    server = Server(settings, lambda: load_settings(sys.argv[1:]))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    stop_at_once = partial(server.stop, pause=False)
    loop.add_signal_handler(signal.SIGINT, stop_at_once)
    loop.add_signal_handler(signal.SIGHUP, server.reload)
    if settings.exit_with_parent:
        _when_input_ends(lambda: loop.call_soon_threadsafe(stop_at_once))
    async with server.started():
        print(f"pullback: listening on {server.address}", flush=True)  # noqa: T201 -- a parent reads it
        await server.stopped()


def _remove(folder: Path | None) -> None:
    """Removes what a server for a while has left, since whoever started it may be gone."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _when_input_ends(act: Callable[[], object]) -> None:
    """Acts when standard input is closed, of whatever kind it is."""

    def watch() -> None:
        while os.read(_STDIN, _CHUNK):
            continue
        act()

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    uvloop = importlib.import_module("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _fail(message: str, status: int) -> NoReturn:
    print(f"pullback: {message}", file=sys.stderr)  # noqa: T201 -- the command line's answer
    sys.exit(status)


if __name__ == "__main__":
    main()
