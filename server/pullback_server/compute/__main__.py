"""A worker process: `python -m pullback_server.compute`, started by the front and by nobody else.

Which device it computes on stands in its environment (JAX_PLATFORMS, CUDA_VISIBLE_DEVICES).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from pullback.precautions import take_precautions
from pullback_server.compute.formats.bounds import BOUNDS
from pullback_server.compute.sandbox.confinement import Mode, Sandbox
from pullback_server.model.board import Board
from pullback_server.telemetry.logs import LogFormat, set_up_logging

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
# How much of all memory this process is taken to use on top of what it does, in thousandths, by who looks for
# one to end for want of memory (proc_pid_oom_score_adj(5)).
_EXPENDABLE: Final = 500
_MOST_EXPENDABLE: Final = 1000


def main() -> None:
    """Serves until the front closes its end, then ends at once, whatever still computes."""
    options = _options()
    _end_with(options.parent)
    _go_before_the_front()
    _open_many_files()
    # Ctrl-C and service managers signal the whole group; the front drains first and then ends its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    set_up_logging(options.log_level, LogFormat(options.log_format))
    status = 1
    try:
        _serve(socket.socket(fileno=options.descriptor), options)
        status = 0
    except Exception:  # noqa: BLE001 -- the process ends with it, in its own way
        _log.exception("the worker cannot go on")
    logging.shutdown()
    # An ordinary exit would wait for the threads that still compute for a front that has gone.
    os._exit(status)


def _serve(connection: socket.socket, options: argparse.Namespace) -> None:
    take_precautions()
    cache = options.compilation_cache_dir
    sandbox = Sandbox(
        Mode(options.sandbox), cache, os.environ.get("JAX_PLATFORMS", ""), options.address_space_bytes
    )
    sandbox.enter()
    if cache is not None:
        importlib.import_module("pullback_server.compute.compiler.persistence").keep_executables(cache)
    BOUNDS.operations, BOUNDS.nesting = options.max_operations, options.max_nesting
    loop = importlib.import_module("pullback_server.compute.loop")
    kernel = importlib.import_module("pullback_server.compute.kernel").Kernel(
        output_bytes=options.max_result_bytes,
        sweep_bytes=options.sweep_bytes,
        device_bytes=options.max_device_memory_bytes,
    )
    kernel.confined = sandbox.close()
    importlib.import_module("pullback_server.compute.compiler.courtesy").settle_down()
    board = Board(options.board)
    importlib.import_module("pullback_server.compute.occupancy").note_occupancy(board)
    loop.Loop(connection, kernel, board).serve()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pullback_server.compute", description=__doc__)
    parser.add_argument("--descriptor", type=int, required=True, help="the inherited socket to the front")
    parser.add_argument("--board", type=int, required=True, help="the inherited file of the board")
    parser.add_argument("--parent", type=int, required=True, help="the process id of the front")
    parser.add_argument("--compilation-cache-dir", type=Path, help="where JAX keeps executables")
    parser.add_argument(
        "--sweep-bytes", type=int, default=256 << 20, help="what directions taken at a time may need"
    )
    parser.add_argument(
        "--max-result-bytes", type=int, default=1 << 31, help="what the results of one evaluation may take"
    )
    parser.add_argument(
        "--max-device-memory-bytes", type=int, help="what a run may need; what a GPU has, where left out"
    )
    parser.add_argument(
        "--max-operations", type=int, default=BOUNDS.operations, help="how many operations a program may have"
    )
    parser.add_argument(
        "--max-nesting", type=int, default=BOUNDS.nesting, help="how deep a program may be nested"
    )
    parser.add_argument("--sandbox", default=Mode.AUTO.value, help="whether to confine this process")
    parser.add_argument("--address-space-bytes", type=int, help="the most address space of this process")
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--log-format", default=LogFormat.TEXT.value)
    return parser.parse_args()


def _end_with(parent: int) -> None:
    """Has the kernel kill this process when the front dies, even while it computes (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the front died before its worker began")


def _go_before_the_front() -> None:
    """Has a system that is short of memory end this process, which is replaced, and not the front (Linux)."""
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):
        score.write_text(str(min(int(score.read_text()) + _EXPENDABLE, _MOST_EXPENDABLE)))


def _open_many_files() -> None:
    """Lets this process map as many segments of clients as the system allows: each is an open file."""
    resource = importlib.import_module("resource")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS calls more its limit than it allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
