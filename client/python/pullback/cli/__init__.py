"""The command line, `pullback`; its commands need click and rich, from `pip install 'pullback[cli]'`."""

from __future__ import annotations

import importlib
import sys
from typing import Final

_NEEDED: Final = ("click", "rich")


def main() -> None:
    """Runs the command that the process was started with.

    Raises:
        SystemExit: At the end, with 0, or 1 for an error, or 2 for a command that cannot be understood.
    """
    try:
        commands = importlib.import_module("pullback.cli.commands")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _NEEDED:
            raise
        sys.stderr.write(f"pullback needs the package {package}; run pip install 'pullback[cli]'\n")
        raise SystemExit(1) from None
    commands.pullback(prog_name="pullback")
