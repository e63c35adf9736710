"""The client processes of a run, and what they tell."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import cycle
from typing import IO

from chaos.clients.events import Event, event
from chaos.tenants import Tenant

_END_SECONDS = 330.0


class Crowd:
    """A process of clients for each tenant.

    Args:
        addresses: The server's, for one tenant after another.
        tenants: The tenants.
        each: How many clients a tenant has.
        pause: How many seconds a client waits between two things, on average.
        seed: What they do follows from it.
        variables: The environment of the processes.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        tenants: Sequence[Tenant],
        each: int,
        pause: float,
        seed: int,
        variables: dict[str, str],
    ) -> None:
        self.events: list[Event] = []
        self.faults: list[str] = []
        self._processes = [
            self._start(
                [f"--address={address}", f"--clients={each}", f"--pause={pause}", f"--seed={seed + index}"],
                tenant,
                variables,
            )
            for index, (tenant, address) in enumerate(zip(tenants, cycle(addresses), strict=False))
        ]
        self._readers = [threading.Thread(target=self._read, args=(each,)) for each in self._processes]
        for reader in self._readers:
            reader.start()

    def _start(self, flags: list[str], tenant: Tenant, variables: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "chaos.clients"),
                *(*flags, f"--tenant={tenant.name}", f"--factor={tenant.factor}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=variables,
            text=True,
        )
        _pipe(process.stdin).write(f"{tenant.token}\n")
        _pipe(process.stdin).flush()
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in _pipe(process.stdout):
            self.events.append(event(line))

    def stop(self) -> None:
        """Has all finish what they are at, and waits for it."""
        for process in self._processes:
            _pipe(process.stdin).close()
        for process, reader in zip(self._processes, self._readers, strict=True):
            try:
                status = process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
                self.faults.append(f"clients did not come to an end within {_END_SECONDS:.0f} s")
            reader.join()
            words = _pipe(process.stderr).read()
            _pipe(process.stdout).close()
            _pipe(process.stderr).close()
            if status or words:
                self.faults.append(f"clients ended with status {status}: {words[-2000:]}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
