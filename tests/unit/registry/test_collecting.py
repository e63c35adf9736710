"""Garbage: nothing that somebody needs is ever collected, and everything else in the end.

Clients register, upload, are refused, go away and delete in any order; servers crash between any two steps.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pullback.program.container import Constant, Producer, Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.program.wire import program_to_bytes
from pullback_server.errors import ServiceError
from pullback_server.registry import uploads
from pullback_server.registry.names import parse_function_name
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import Registry, open_registry

CONSTANTS = {hashlib.sha256(data).hexdigest(): data for data in (b"one", b"two", b"three")}
DIGESTS = sorted(CONSTANTS)


def program(number: int) -> Program:
    """Programs that share constants: each has one or two of three."""
    used = {DIGESTS[number % 3], DIGESTS[number // 3 % 3]}
    constants = tuple(
        Constant(TensorType(ElementType.UI8, (len(CONSTANTS[digest]),)), digest) for digest in sorted(used)
    )
    return Program(StableHlo(bytes([number]), (), constants), Signature((), None), Producer("t", "1", {}))


NUMBERS = st.integers(0, 5)
NAMES = st.sampled_from(["f", "g"])


class Collecting(RuleBasedStateMachine):
    """Clients at every stage of registering, each of which must find what it counts on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.functions: dict[str, list[int]] = {}
        self.brought: list[int] = []
        self.uploaded: list[int] = []

    @initialize()
    def start(self) -> None:
        """Opens the registry."""
        self.stack = ExitStack()
        self.registry: Registry = self.stack.enter_context(open_registry(self.folder))

    @rule(number=NUMBERS)
    def bring(self, number: int) -> None:
        """A client asks which constants are missing, and sends those."""
        for digest in self.registry.missing_constants(program(number).constants):
            arriving = self.registry.arrive()
            arriving.add(CONSTANTS[digest])
            self.registry.upload_constant(arriving)
            arriving.drop()
        self.brought.append(number)

    @precondition(lambda self: self.brought)
    @rule(data=st.data())
    def upload(self, data: st.DataObject) -> None:
        """A client that has sent the constants sends the program."""
        number = self.brought.pop(data.draw(st.integers(0, len(self.brought) - 1)))
        self.registry.upload(digest_of(program(number)), program_to_bytes(program(number)))
        self.uploaded.append(number)

    @precondition(lambda self: self.uploaded)
    @rule(data=st.data(), name=NAMES)
    def register(self, data: st.DataObject, name: str) -> None:
        """A client registers what it has sent: all of it is there."""
        number = self.uploaded.pop(data.draw(st.integers(0, len(self.uploaded) - 1)))
        self.registry.program(digest_of(program(number)))
        self.registry.register(Registration(name, program(number)))
        revisions = self.functions.setdefault(name, [])
        if number not in revisions:
            revisions.append(number)

    @precondition(lambda self: self.uploaded)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        """A worker refuses a program; whoever else counts on the same finds it."""
        number = self.uploaded.pop(data.draw(st.integers(0, len(self.uploaded) - 1)))
        self.registry.discard_upload(digest_of(program(number)), program(number).constants)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """A function goes, or was never there."""
        with suppress(ServiceError):
            self.registry.delete(parse_function_name(f"functions/{name}"))
        self.functions.pop(name, None)

    @rule()
    def collect(self) -> None:
        """Garbage is collected at any time."""
        self.registry.collect()

    @rule()
    def crash(self) -> None:
        """The server is killed and started anew; who was told that constants are here has to ask again."""
        self.stack.close()
        self.brought.clear()
        # One is taken to count on each upload, however many did.
        self.uploaded = sorted(set(self.uploaded))
        self.start()

    @invariant()
    def everything_is_there(self) -> None:
        """Whatever functions have, and what clients have sent."""
        if not hasattr(self, "registry"):
            return
        used = [number for numbers in self.functions.values() for number in numbers]
        for number in (*used, *self.uploaded):
            self.registry.program(digest_of(program(number)))
        for number in (*used, *self.uploaded, *self.brought):
            for digest in program(number).constants:
                assert self.registry.constant(digest) == CONSTANTS[digest]

    def teardown(self) -> None:
        """In the end everything goes that nobody needs."""
        for name in ("f", "g"):
            self.delete(name)
        self.stack.close()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uploads, "UPLOAD_SECONDS", -1.0)
            with open_registry(self.folder):
                left = [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]
        assert left == []
        shutil.rmtree(self.folder)


TestCollecting = Collecting.TestCase
TestCollecting.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
