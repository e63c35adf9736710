"""A registry's archive, while no server uses its directory: `python -m pullback_server.registry --help`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pullback_server.configuration.sources import ConfigurationError, load_settings
from pullback_server.errors import ServiceError
from pullback_server.registry.archive import export_registry, import_registry
from pullback_server.registry.files import DirectoryInUseError, Incoming
from pullback_server.registry.registry import open_registry


def main() -> None:
    """Exports or imports.

    Raises:
        SystemExit: With a sentence and status 1 if that fails.
    """
    arguments = _parser().parse_args()
    act = _export if arguments.command == "export" else _import
    try:
        act(arguments.file, _folder(arguments.data_dir))
    except (ServiceError, ConfigurationError, DirectoryInUseError, OSError) as error:
        sys.exit(f"pullback: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pullback registry",
        description="Write all functions of a server to one file, or take them over.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("export", "write all functions to an archive"),
        ("import", "take over the functions of an archive; a second time changes nothing"),
    ):
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("file", help='the archive; "-" is standard output or input')
        command.add_argument(
            "--data-dir",
            help="the server's data_dir, which no server may be using; left out, as for the server",
        )
    return parser


def _folder(given: str | None) -> Path:
    return load_settings(["--data-dir", given] if given else []).data_dir.expanduser()


def _export(name: str, folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no registry in {folder}; give the server's --data-dir")
    with open_registry(folder) as registry:
        if name == "-":
            done = export_registry(registry, sys.stdout.buffer)
        else:
            incoming = Incoming(Path(name).absolute().parent)
            try:
                done = export_registry(registry, incoming)
                incoming.keep(Path(name).absolute())
            finally:
                incoming.drop()
    _tell(f"{done.functions} functions with {done.blobs} programs and constants, {done.nbytes} bytes")


def _import(name: str, folder: Path) -> None:
    with _source(name) as source, open_registry(folder) as registry:
        done = import_registry(registry, source)
    _tell(f"{done.functions} functions in the archive, of which {done.changed} are new or have changed")


@contextlib.contextmanager
def _source(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
    else:
        with Path(name).open("rb") as file:
            yield file


def _tell(sentence: str) -> None:
    print(f"pullback: {sentence}", file=sys.stderr)  # noqa: T201 -- the command line's answer


if __name__ == "__main__":
    main()
