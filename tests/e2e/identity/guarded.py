"""Real servers that ask who calls, and the credentials for them."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

import pullback

ISSUER = "https://issuer.example"
AUDIENCE = "pullback"
TOKENS = {role: f"pb_{role}" for role in ("evaluate", "register", "administer")}


def command(folder: Path, *flags: str) -> list[str]:
    """The command line of a server."""
    usual = ["--devices=cpu:1", "--drain-seconds=0", f"--data-dir={folder / 'data'}"]
    return [sys.executable, "-m", "pullback_server", *usual, *flags]


@dataclass
class Guarded:
    """A server that runs, and where its files are."""

    process: subprocess.Popen[str]
    addresses: list[str]
    folder: Path

    @property
    def address(self) -> str:
        """The first address, by the name that its certificate has."""
        return self.addresses[0].replace("127.0.0.1", "localhost")

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text()

    def reload(self, words: str = "files were read anew") -> None:
        """Has it read its files again, and waits until it says these words."""
        before = self.log.count(words)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.log.count(words) > before)


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Guarded]:
    """A server, until the block ends."""
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(command(folder, *flags), stdout=subprocess.PIPE, stderr=errors, text=True)
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("pullback: listening on "), log.read_text()
            yield Guarded(process, line.split()[-1].split(","), folder)
        finally:
            process.terminate()
            process.wait(20)


def until(true: Callable[[], bool]) -> None:
    """Waits for something to be, for at most 20 seconds."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_serving(client: pullback.Client) -> None:
    """Waits until health, which asks nobody who they are, says so."""
    until(lambda: client.health() is pullback.Health.SERVING)


def tenants(*more: str, tokens: dict[str, str] = TOKENS) -> str:
    """A tenants file with a token for each role."""
    lines = ["[tenants.acme]", *more]
    for role, secret in tokens.items():
        digest = hashlib.sha256(secret.encode()).hexdigest()
        lines += ["[[tenants.acme.tokens]]", f'name = "{role}r"', f'sha256 = "{digest}"', f'role = "{role}"']
    return "\n".join(lines)


class Issuer:
    """Signs JWTs, and writes its public keys to a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rotate("first")

    def rotate(self, kid: str) -> None:
        """Uses another key from now on, and no longer publishes the one before."""
        self.kid = kid
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._file.write_text(json.dumps({"keys": [{**public, "kid": kid, "use": "sig"}]}))

    def token(self, **changes: Any) -> str:
        """A good token, with changes."""
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": time.time() + 600}
        claims = usual | {"tenant": "acme", "role": "register"} | changes
        return jwt.encode(claims, self._key, "ES256", headers={"kid": self.kid})
