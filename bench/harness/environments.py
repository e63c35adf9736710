"""The virtual environments of the peers, made under .dev/peers/ and kept until requirements change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDER = ROOT / ".dev" / "peers"
_NEWEST_MINOR = 14


class EnvironmentMissingError(Exception):
    """An environment could not be made; the message says why."""


def environment(requirements: Path, oldest: tuple[int, int]) -> Path:
    """The Python of an environment with these requirements, which is made where it is missing.

    Args:
        requirements: A file of requirements for pip, in the folder of its peer.
        oldest: The oldest Python that will do; the one that runs this is taken if it will.

    Raises:
        EnvironmentMissingError: If there is no such Python, or pip fails.
    """
    base = _interpreter(oldest)
    folder = _FOLDER / requirements.parent.name
    wanted = hashlib.sha256(f"{base}\n{requirements.read_text()}".encode()).hexdigest()
    stamp, python = folder / "stamp", folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {requirements.parent.name} (once) ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _run(base, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements))
        stamp.write_text(wanted)
    return python


def _interpreter(oldest: tuple[int, int]) -> str:
    for candidate in _candidates(oldest):
        probe = f"import sys; sys.exit(sys.version_info < {oldest})"
        try:
            if subprocess.run([candidate, "-c", probe], check=False, capture_output=True).returncode == 0:
                return candidate
        except OSError:
            continue
    raise EnvironmentMissingError("it needs Python {}.{}, which is not on the path".format(*oldest))


def _candidates(oldest: tuple[int, int]) -> Iterator[str]:
    """This Python, those on the path, and pyenv's, the oldest that will do first."""
    yield sys.executable
    minors = range(oldest[1], _NEWEST_MINOR + 1)
    yield from (f"python3.{minor}" for minor in minors)
    versions = Path.home() / ".pyenv" / "versions"
    for minor in minors:
        yield from (str(version / "bin" / "python") for version in sorted(versions.glob(f"3.{minor}.*")))


def _run(*command: str) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        words = " ".join(result.stderr.split())
        raise EnvironmentMissingError(f"pip could not install it: ...{words[-300:]}")
