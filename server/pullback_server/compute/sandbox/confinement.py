"""Confines a worker's process in two steps: before there are threads, and when all of them are there.

Landlock holds for the thread that asks for it and for those that it starts, so it comes before JAX, which
starts many. Seccomp reaches all threads, and comes when the device has been opened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

from pullback_server.compute.sandbox import landlock, seccomp
from pullback_server.compute.sandbox.paths import rules

_log = logging.getLogger(__name__)

# Folders of the cache, with the variables by which libraries know them; asdex compiles with numba.
_FOLDERS: Final = {"temporary": "TMPDIR", "numba": "NUMBA_CACHE_DIR"}
_LARGEST_FILE: Final = 4 << 30
_TCP_SINCE: Final = 4
_SIGNALS_SINCE: Final = 6


class Mode(StrEnum):
    """Whether a worker is confined."""

    AUTO = "auto"
    """As far as the system can."""
    OFF = "off"
    """Not at all."""
    REQUIRED = "required"
    """Or it does not start."""


class Held(StrEnum):
    """What a worker cannot do any more."""

    FILES = "files"
    """Write outside of its cache; on a GPU, of what its driver writes to, as well."""
    SECRETS = "secrets"
    """Read what is neither the system's, nor Python's, nor in its cache: homes, keys, functions of others."""
    NETWORK = "network"
    """Make sockets, of any kind."""
    TCP = "tcp"
    """Connect or listen by TCP."""
    PROGRAMS = "programs"
    """Run other programs."""
    PROCESSES = "processes"
    """Look into other processes, or signal them."""
    SYSTEM = "system"
    """Mount, load modules, set clocks, change who may use a file, and what has been a way into the kernel."""


_NEEDED: Final = frozenset({Held.FILES, Held.SECRETS, Held.NETWORK, Held.PROGRAMS, Held.PROCESSES})
_NEEDED_ON_GPUS: Final = _NEEDED - {Held.SECRETS, Held.PROGRAMS}


class SandboxError(Exception):
    """The worker must be confined, and cannot be."""


class Sandbox:
    """The confinement of this process.

    Args:
        mode: Whether to confine it.
        cache: The folder where it may write; made where it is missing.
        platforms: What it computes on, as in JAX_PLATFORMS.
        address_space: The most bytes of address space; None for no limit.
    """

    def __init__(
        self, mode: Mode, cache: Path | None, platforms: str, address_space: int | None = None
    ) -> None:
        self._mode = mode
        self._cache = cache
        self._platform = platforms.partition(",")[0]
        self._address_space = address_space
        self._held: set[Held] = set()
        self._missing: list[str] = []

    @property
    def _accelerated(self) -> bool:
        return self._platform != "cpu"

    def enter(self) -> None:
        """The first step: limits on resources, and on files. To be called before any thread is started."""
        _limit(resource.RLIMIT_AS, self._address_space)
        if self._mode is Mode.OFF:
            return
        _limit(resource.RLIMIT_CORE, 0)
        if not self._accelerated:
            _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
        if self._platform not in ("cpu", "cuda"):
            self._missing.append(f"nothing is known of what {self._platform} needs")
            return
        self._make_folders()
        with contextlib.suppress(seccomp.SeccompMissingError):  # as is found out again when it is needed
            seccomp.library()
        try:
            version = landlock.restrict(rules(self._cache, accelerated=self._accelerated))
        except OSError as error:
            self._missing.append(str(error))
        else:
            self._held |= _by_landlock(version, accelerated=self._accelerated)

    def close(self) -> tuple[str, ...]:
        """The second step: system calls. To be called when the device has been opened.

        Returns:
            What the process cannot do any more; see `Held`.

        Raises:
            SandboxError: If it must be confined and is not.
        """
        if self._mode is not Mode.OFF and self._platform in ("cpu", "cuda"):
            self._give_up_calls()
        self._report()
        return tuple(sorted(self._held))

    def _give_up_calls(self) -> None:
        calls = [*seccomp.SOCKETS, *seccomp.PROCESSES, *seccomp.SYSTEM, *seccomp.ATTRIBUTES]
        held = {Held.NETWORK, Held.PROCESSES, Held.SYSTEM}
        if not self._accelerated:
            calls.extend(seccomp.PROGRAMS)
            held.add(Held.PROGRAMS)
        try:
            seccomp.give_up(calls)
        except seccomp.SeccompMissingError as error:
            self._missing.append(str(error))
        else:
            self._held |= held

    def _make_folders(self) -> None:
        """Makes the cache, and folders in it where libraries look for what they may write."""
        if self._cache is not None:
            for name, variable in _FOLDERS.items():
                folder = self._cache / name
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.environ[variable] = str(folder)

    def _report(self) -> None:
        if self._mode is Mode.OFF:
            _log.warning("the worker is not confined, since sandbox is off")
            return
        lacking = sorted((_NEEDED_ON_GPUS if self._accelerated else _NEEDED) - self._held)
        why = "; ".join(self._missing) or "the kernel is too old"
        if lacking and self._mode is Mode.REQUIRED:
            raise SandboxError(
                f"the worker cannot be confined in {', '.join(lacking)}, as sandbox = required has it: {why}"
            )
        held = ", ".join(sorted(self._held)) or "nothing"
        if lacking:
            _log.warning("the worker is confined in %s, but not in %s: %s", held, ", ".join(lacking), why)
        else:
            _log.info("the worker is confined in %s", held)


def _by_landlock(version: int, *, accelerated: bool) -> set[Held]:
    held = {Held.FILES} if accelerated else {Held.FILES, Held.SECRETS, Held.PROGRAMS}
    if version >= _TCP_SINCE:
        held.add(Held.TCP)
    if version >= _SIGNALS_SINCE:
        held.add(Held.PROCESSES)
    return held


def _limit(what: int, most: int | None) -> None:
    """Lowers a limit on a resource, for good."""
    if most is None or sys.platform == "win32":
        return
    _, before = resource.getrlimit(what)
    least = most if before == resource.RLIM_INFINITY else min(most, before)
    resource.setrlimit(what, (least, least))
